// What Engine.IO 4 asks of a server. There is no echo below Socket.IO here: what is said and comes back are its events.
import assert from "node:assert/strict";
import {once} from "node:events";
import net from "node:net";
import {CLOSE, Line, NOOP, PING, POLLING, PONG, Polling, Request, SEPARATOR, UPGRADE, WEBSOCKET, ask, drained, openLine,
  parseOpen, probe, refusedLine, toPayload} from "./wire.js";
import {BYTES, connect, echoed, sayHello} from "./socketio.js";

const ROUNDS = 50;

/** `times`: the ping interval and the ping timeout of the server, in milliseconds. */
export function addEngineCases(suite, address, times) {
  addHandshakes(suite, address, times);
  addRefusedHandshakes(suite, address);
  addPollingMessages(suite, address);
  addOverlaps(suite, address);
  addLineMessages(suite, address);
  addHeartbeats(suite, address);
  addCloses(suite, address);
  addUpgrades(suite, address);
  addProbes(suite, address);
}

function checkHandshake(handshake, upgrades, times) {
  assert.deepEqual(Object.keys(handshake).sort(), ["maxPayload", "pingInterval", "pingTimeout", "sid", "upgrades"]);
  assert.ok(typeof handshake.sid === "string" && handshake.sid.length > 0);
  assert.deepEqual(handshake.upgrades, upgrades);
  assert.deepEqual([handshake.pingInterval, handshake.pingTimeout], times);
  assert.ok(Number.isInteger(handshake.maxPayload) && handshake.maxPayload > 0);
}

function addHandshakes(suite, address, times) {
  suite.add("handshake: polling opens a session", async (t) => {
    const answer = await ask(t, address, POLLING);
    assert.equal(answer.status, 200);
    assert.match(answer.headers["content-type"], /^text\/plain/u);
    assert.equal(answer.headers["cache-control"], "no-store");
    checkHandshake(parseOpen(answer.text), ["websocket"], times);
  });
  suite.add("handshake: websocket opens a session", async (t) => {
    checkHandshake((await openLine(t, address)).handshake, [], times);
  });
  suite.add("handshake: each has a sid of its own", async (t) => {
    const sessions = [await Polling.open(t, address), await Polling.open(t, address), await openLine(t, address)];
    assert.equal(new Set(sessions.map(({handshake}) => handshake.sid)).size, 3);
  });
  suite.add("handshake: names in the query that mean nothing are ignored", async (t) => {
    const answer = await ask(t, address, `?x=1&EIO=4&t=abc&transport=polling&b64=1`);
    checkHandshake(parseOpen(answer.text), ["websocket"], times);
  });
}

/** Name, query, and the number that Engine.IO has for what is wrong with it. */
const BAD_QUERIES = [
  ["EIO is missing", "?transport=polling", 5],
  ["EIO is no number", "?EIO=abc&transport=polling", 5],
  ["EIO is another version", "?EIO=3&transport=polling", 5],
  ["transport is missing", "?EIO=4", 0],
  ["transport is unknown", "?EIO=4&transport=abc", 0],
  ["transport is the name of what every object has", "?EIO=4&transport=constructor", 0],
  ["there is no query", "", 0],
  ["sid is unknown", `${POLLING}&sid=abc`, 1],
  ["sid is a path", `${POLLING}&sid=..%2f..%2f`, 1],
  ["sid is long", `${POLLING}&sid=${"a".repeat(4000)}`, 1],
  ["sid is the name of what every object has", `${POLLING}&sid=__proto__`, 1],
];

function addRefusedHandshakes(suite, address) {
  for (const [name, query, code] of BAD_QUERIES) {
    suite.add(`handshake: polling is refused when ${name}`, async (t) => {
      const answer = await ask(t, address, query);
      assert.equal(answer.status, 400);
      assert.equal(JSON.parse(answer.text).code, code);
    });
    suite.add(`handshake: websocket is refused when ${name}`, (t) => refusedLine(t, address, query.replace("polling", "websocket")));
  }
  for (const method of ["POST", "PUT", "DELETE", "PATCH"]) {
    suite.add(`handshake: polling is refused by ${method}`, async (t) => {
      const answer = await ask(t, address, POLLING, {method});
      assert.equal(answer.status, 400);
      assert.equal(JSON.parse(answer.text).code, 2);
    });
  }
  suite.add("handshake: a GET that is no upgrade opens no websocket", async (t) => {
    const {status} = await ask(t, address, WEBSOCKET);
    assert.ok(status >= 400 && status < 500, `status ${status}`);
  });
  suite.belfry("handshake: polling is refused when something is said twice", async (t) => {
    for (const twice of ["&EIO=4", "&transport=polling", "&sid=a&sid=a"]) {
      assert.equal((await ask(t, address, POLLING + twice)).status, 400);
    }
  });
}

const hello = (text = "hello") => `42["message","${text}"]`;
const helloBack = (text = "hello") => `42["message-back","${text}"]`;
const PLACE = '{"_placeholder":true,"num":0}';

function addPollingMessages(suite, address) {
  suite.add("polling: a text packet comes back", async (t) => {
    const session = await connect(await Polling.open(t, address));
    await session.send(hello());
    assert.deepEqual(await session.poll(), [helloBack()]);
  });
  suite.add("polling: several text packets of one payload come back in order", async (t) => {
    const session = await connect(await Polling.open(t, address));
    await session.send(hello("one"), hello("two"), hello("three"));
    assert.deepEqual(await session.poll(), [helloBack("one"), helloBack("two"), helloBack("three")]);
  });
  suite.add("polling: text and binary packets of one payload come back in order", async (t) => {
    const session = await connect(await Polling.open(t, address));
    await session.send(hello(), `451-["message",${PLACE}]`, BYTES, hello("after"));
    assert.deepEqual(await session.poll(), [helloBack(), `451-["message-back",${PLACE}]`, BYTES, helloBack("after")]);
  });
  suite.add("polling: binary is standard base 64 behind a b", async (t) => {
    const session = await connect(await Polling.open(t, address));
    await session.send(`451-["message",${PLACE}]` + SEPARATOR + "b+/8AAQ==");
    assert.equal((await session.get()).text, `451-["message-back",${PLACE}]` + SEPARATOR + "b+/8AAQ==");
  });
  suite.add("polling: text beyond ASCII comes back", async (t) => {
    const session = await connect(await Polling.open(t, address));
    await session.send(hello("é€\u{1f600}\u2028"));
    assert.deepEqual(await session.poll(), [helloBack("é€\u{1f600}\u2028")]);
  });
  suite.add("polling: a GET waits for what comes later", async (t) => {
    const session = await connect(await Polling.open(t, address));
    const waiting = session.receive(1);
    await session.send(hello());
    assert.deepEqual(await waiting, [helloBack()]);
  });
  for (const body of ["abc", "", SEPARATOR, NOOP + SEPARATOR, PING, "7"]) {
    suite.add(`polling: a payload that is none ends the session: ${JSON.stringify(body)}`, async (t) => {
      const session = await Polling.open(t, address);
      await session.post(body).catch(() => {}); // the Node server may cut the connection
      await session.refused();
    });
    suite.belfry(`polling: a payload that is none is answered 400: ${JSON.stringify(body)}`, async (t) => {
      const session = await Polling.open(t, address);
      assert.equal((await session.post(body)).status, 400);
      await session.refused();
    });
  }
}

function addOverlaps(suite, address) {
  suite.add("polling: two GETs at once end the session", async (t) => {
    const session = await Polling.open(t, address);
    const answers = await Promise.all([session.get(), session.get()]);
    answers.sort((one, other) => one.status - other.status);
    assert.deepEqual(answers.map(({status}) => status), [200, 400]);
    assert.equal(answers[0].text, CLOSE);
    await session.refused();
  });
  suite.add("polling: two POSTs at once end the session", async (t) => {
    const session = await connect(await Polling.open(t, address));
    for (let round = 0; round < ROUNDS; ++round) {
      if (await twoPosts(t, session)) return session.refused();
    }
    assert.fail("never refused");
  });
  suite.add("polling: a GET that is given up ends the session", async (t) => {
    const session = await connect(await Polling.open(t, address));
    await giveUp(t, address, session.query);
    // Pongs keep it alive otherwise, and another GET would end it by itself.
    while ((await session.post(PONG)).status === 200);
    await session.refused();
  });
  suite.add("polling: a GET and a POST at once are as it should be", async (t) => {
    const session = await connect(await Polling.open(t, address));
    for (let i = 0; i < ROUNDS; ++i) {
      const [packets] = await Promise.all([session.receive(1), session.send(hello(i))]);
      assert.deepEqual(packets, [helloBack(i)]);
    }
  });
}

/** Sends a GET, all of it, and goes. */
async function giveUp(t, address, query) {
  const {host, port, path} = address.http(query);
  const socket = net.connect(port, host);
  t.owns(() => socket.destroy());
  await once(socket, "connect");
  await new Promise((resolve) => socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`, resolve));
  socket.destroy();
}

/**
 * Two POSTs, the second of which is there before the first has ended: whether one was refused. The Node server sees them
 * overlap by the first one's head. Belfry runs a POST when it is whole, and keeps it running while too much is unread, which
 * it is after a few of these.
 */
async function twoPosts(t, session) {
  const body = Buffer.from(toPayload([PONG, hello("x".repeat(60_000))]));
  const options = {method: "POST", headers: {"content-type": "text/plain", "content-length": body.length}};
  const [first, second] = [0, 1].map(() => new Request(t, session.address, session.query, options));
  await first.write(body.subarray(0, 1000));
  await second.end(body);
  first.end(body.subarray(1000));
  return new Promise((resolve) => {
    const answers = [first, second].map(({answer}) => answer.then(({status}) => status, () => "cut off"));
    for (const answer of answers) answer.then((status) => status === 400 && resolve(true));
    Promise.all(answers).then((statuses) => resolve(statuses.includes(400)));
  });
}

function addLineMessages(suite, address) {
  suite.add("websocket: a text packet comes back", async (t) => sayHello(await connect(await openLine(t, address))));
  suite.add("websocket: a binary packet comes back", async (t) => {
    const line = await connect(await openLine(t, address));
    line.send(`451-["message",${PLACE}]`, BYTES);
    assert.deepEqual(await line.receive(2), [`451-["message-back",${PLACE}]`, BYTES]);
  });
  suite.add("websocket: a packet in several frames comes back", async (t) => {
    const line = await connect(await openLine(t, address));
    line.socket.send('42["mess', {fin: false});
    line.socket.send('age","hel', {fin: false});
    line.socket.send('lo"]', {fin: true});
    assert.equal(await line.next(), helloBack());
  });
  for (const text of ["abc", "", "7", "bAQIDBA=="]) {
    suite.add(`websocket: a message that is no packet ends the session: ${JSON.stringify(text)}`, async (t) => {
      const line = await openLine(t, address);
      line.send(text);
      assert.deepEqual(await line.ended(), []);
    });
  }
}

function addHeartbeats(suite, address) {
  suite.add("heartbeat: polling is pinged as long as it answers", async (t) => {
    const session = await connect(await Polling.open(t, address));
    for (let i = 0; i < 3; ++i) {
      assert.equal((await session.get()).text, PING);
      await session.send(PONG);
    }
  });
  suite.add("heartbeat: polling without a pong ends, which the waiting GET is told", async (t) => {
    const session = await connect(await Polling.open(t, address));
    assert.equal((await session.get()).text, PING);
    const last = await session.get();
    assert.deepEqual([last.status, last.text], [200, CLOSE]);
    await session.refused();
  });
  suite.add("heartbeat: other packets are no pong", async (t) => {
    const session = await connect(await Polling.open(t, address));
    while ((await session.post(NOOP)).status === 200);
    await session.refused();
  });
  suite.add("heartbeat: a websocket is pinged as long as it answers", async (t) => {
    const line = await connect(await openLine(t, address, {pongs: false}));
    for (let i = 0; i < 3; ++i) {
      assert.equal(await line.next(), PING);
      line.send(PONG);
    }
  });
  suite.add("heartbeat: a websocket without a pong is closed", async (t) => {
    const line = await connect(await openLine(t, address, {pongs: false}));
    assert.deepEqual(await line.ended(), [PING]);
  });
  suite.add("heartbeat: goes on after an upgrade", async (t) => {
    const session = await connect(await Polling.open(t, address));
    const line = await probe(session);
    await drained(session);
    line.pongs = false;
    line.send(UPGRADE);
    for (let i = 0; i < 3; ++i) {
      assert.equal(await line.next(), PING);
      line.send(PONG);
    }
    assert.deepEqual(await line.ended(), [PING]);
  });
}

function addCloses(suite, address) {
  suite.add("close: by polling lets the waiting GET go and ends the session", async (t) => {
    for (let round = 0; round < ROUNDS; ++round) {
      const session = await connect(await Polling.open(t, address));
      const waiting = session.get();
      await session.send(CLOSE);
      const {status, text} = await waiting;
      await session.refused();
      if (status === 200) return assert.equal(text, NOOP);
      assert.equal(status, 400); // the POST overtook the GET
    }
    assert.fail("no GET ever waited");
  });
  suite.belfry("close: by websocket ends the session", async (t) => {
    const line = await connect(await openLine(t, address));
    line.send(CLOSE);
    assert.deepEqual(await line.ended(), []);
  });
  suite.add("close: of the websocket itself ends the session", async (t) => {
    const session = await connect(await Polling.open(t, address));
    const line = await probe(session);
    await drained(session);
    line.send(UPGRADE);
    await sayHello(line);
    line.socket.close();
    await line.ended();
    await refusedLine(t, address, session.wsQuery);
    await session.refused();
  });
}

function addUpgrades(suite, address) {
  suite.add("upgrade: polling becomes websocket", async (t) => {
    const session = await connect(await Polling.open(t, address));
    const line = await probe(session);
    assert.deepEqual(await drained(session), []);
    line.send(UPGRADE);
    await sayHello(line);
  });
  suite.add("upgrade: a GET that waits is let go", async (t) => {
    const session = await connect(await Polling.open(t, address));
    const waiting = drained(session);
    const line = await probe(session);
    assert.deepEqual(await waiting, []);
    line.send(UPGRADE);
    await sayHello(line);
  });
  suite.add("upgrade: until it is complete polling goes on", async (t) => {
    const session = await connect(await Polling.open(t, address));
    const line = await probe(session);
    await session.send(hello("by polling"));
    assert.deepEqual((await session.poll()).filter((packet) => packet !== NOOP), [helloBack("by polling")]);
    line.send(UPGRADE);
    await sayHello(line);
  });
  suite.add("upgrade: what no GET has fetched comes by the websocket, in order", async (t) => {
    const session = await connect(await Polling.open(t, address));
    const line = await probe(session);
    await session.send(hello("one"), `451-["message",${PLACE}]`, BYTES, hello("two"));
    line.send(UPGRADE, hello("three"));
    const heard = [helloBack("one"), `451-["message-back",${PLACE}]`, BYTES, helloBack("two"), helloBack("three")];
    assert.deepEqual(await line.receive(heard.length), heard);
  });
  suite.add("upgrade: whoever does not wait for the answers is upgraded as well", async (t) => {
    const session = await connect(await Polling.open(t, address));
    const line = new Line(t, address, session.wsQuery);
    await line.opened;
    line.send(PING + "probe", UPGRADE, hello());
    assert.deepEqual(await line.receive(2), [PONG + "probe", helloBack()]);
  });
  suite.add("upgrade: a session without CONNECT is upgraded as well", async (t) => {
    const session = await Polling.open(t, address);
    const line = await probe(session);
    line.send(UPGRADE);
    await sayHello(await connect(line));
  });
  suite.add("upgrade: requests of the session are refused afterwards", async (t) => {
    const {session, line} = await upgraded(t, address);
    await session.refused();
    await sayHello(line);
  });
  suite.add("upgrade: websockets of the session are refused afterwards", async (t) => {
    const {session, line} = await upgraded(t, address);
    await refusedLine(t, address, session.wsQuery);
    await sayHello(line);
  });
}

/** With an answer by the new transport, so that the server is known to have changed it. */
async function upgraded(t, address) {
  const session = await connect(await Polling.open(t, address));
  const line = await probe(session);
  line.send(UPGRADE);
  await sayHello(line);
  return {session, line};
}

function addProbes(suite, address) {
  suite.add("probe: a second one is refused, the first goes on", async (t) => {
    const session = await connect(await Polling.open(t, address));
    const line = await probe(session);
    await refusedLine(t, address, session.wsQuery);
    line.send(UPGRADE);
    await sayHello(line);
  });
  for (const wrong of ["2other", "2", hello(), "3probe", BYTES]) {
    suite.add(`probe: costs the websocket only when it is wrong: ${wrong}`, async (t) => {
      const session = await connect(await Polling.open(t, address));
      const line = new Line(t, address, session.wsQuery);
      await line.opened;
      line.send(wrong);
      assert.deepEqual(await line.ended(), []);
      await sayHello(session);
    });
  }
  suite.add("probe: a wrong packet behind it costs the websocket only", async (t) => {
    const session = await connect(await Polling.open(t, address));
    const line = await probe(session);
    line.send(hello());
    assert.deepEqual(await line.ended(), []);
    await echoed(session);
  });
  suite.add("probe: that goes away can be tried again", async (t) => {
    const session = await connect(await Polling.open(t, address));
    const line = await probe(session);
    line.socket.terminate();
    await line.ended();
    await echoed(session);
    await upgradedAgain(t, session);
  });
  suite.belfry("probe: an upgrade without a probe costs the websocket only", async (t) => {
    const session = await connect(await Polling.open(t, address));
    const line = new Line(t, address, session.wsQuery);
    await line.opened;
    line.send(UPGRADE);
    assert.deepEqual(await line.ended(), []);
    await sayHello(session);
  });
}

/** The server may still hold the old probe, and refuse until it has seen that one go. */
async function upgradedAgain(t, session) {
  for (;;) {
    const line = new Line(t, session.address, session.wsQuery);
    const open = await line.opened.then(() => true, () => false);
    if (open) line.send(PING + "probe", UPGRADE, hello());
    const answers = await line.receive(2).catch(() => []);
    if (answers.length === 2) return assert.deepEqual(answers, [PONG + "probe", helloBack()]);
    await echoed(session);
  }
}
