// stock.js <base-url> [--only <substring>]: the stock clients, socket.io-client and engine.io-client, against a server with echo
// handlers (README.md).
import assert from "node:assert/strict";
import http from "node:http";
import net from "node:net";
import process from "node:process";
import {setImmediate as nextTurn} from "node:timers/promises";
import {Socket as Engine} from "engine.io-client";
import {io} from "socket.io-client";
import {Suite, parseArguments} from "./harness.js";

const options = parseArguments();
const {base} = options;
const suite = new Suite();

const WAYS = {polling: ["polling"], websocket: ["websocket"], upgrade: ["polling", "websocket"]};
/** Of an acknowledgement: as good as for ever, the case's own deadline is shorter. */
const ACK_MS = 60_000;
const CROSSINGS = 5;
/** Messages without an answer, at most; those that are answered before an upgrade begins, said during it, and when it is done. */
const WINDOW = 30;
const AHEAD = 100;
const DURING = 20;
const BEHIND = 100;

/** A socket of a manager of its own. */
function open(t, settings = {}, nsp = "/") {
  const socket = io(base + nsp, {forceNew: true, reconnectionDelay: 10, reconnectionDelayMax: 50, ...settings});
  t.owns(() => socket.io._close());
  return socket;
}

const next = (socket, event) => new Promise((resolve) => socket.once(event, (...args) => resolve(args)));

/** Rejects with what the server said. */
const connected = (socket) =>
  new Promise((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("connect_error", reject);
  });

async function connect(t, settings, nsp) {
  const socket = open(t, settings, nsp);
  const auth = next(socket, "auth");
  await connected(socket);
  assert.deepEqual(await auth, [settings?.auth ?? {}]);
  return socket;
}

const transportOf = (socket) => socket.io.engine.transport.name;

async function upgraded(socket) {
  if (transportOf(socket) !== "websocket") await next(socket.io.engine, "upgrade");
  assert.equal(transportOf(socket), "websocket");
}

async function echo(socket, ...args) {
  const back = next(socket, "message-back");
  socket.emit("message", ...args);
  assert.deepEqual(await back, args);
}

async function echoAndAcknowledge(socket, ...args) {
  await echo(socket, ...args);
  // With several arguments the promise has the first only.
  const answer = await new Promise((resolve) => socket.emit("message-with-ack", ...args, (...answers) => resolve(answers)));
  assert.deepEqual(answer, args);
}

const VALUES = ["text", "é€\u{1f600}", 1.5, -1, true, null, [], {}, {deep: [{er: "x"}]}];
const bytes = (length) => Buffer.from(Array.from({length}, (_, i) => (i * 7) % 256));

for (const [way, transports] of Object.entries(WAYS)) {
  const settle = async (socket) => {
    if (way === "upgrade") await upgraded(socket);
    return socket;
  };
  const add = (name, run) => suite.add(`${way}: ${name}`, run);

  add("connects, and has the transport that it asked for", async (t) => {
    const socket = await settle(await connect(t, {transports}));
    assert.equal(transportOf(socket), transports.at(-1));
    assert.ok(socket.id.length > 0);
    await echo(socket, "hello");
  });
  add("sends the auth payload", (t) => connect(t, {transports, auth: {flavour: "abc", n: [1]}}));
  add("events and acknowledgements with every kind of value", async (t) => {
    await echoAndAcknowledge(await settle(await connect(t, {transports})), ...VALUES);
  });
  add("events and acknowledgements without arguments", async (t) => {
    await echoAndAcknowledge(await settle(await connect(t, {transports})));
  });
  add("events and acknowledgements with bytes", async (t) => {
    const socket = await settle(await connect(t, {transports}));
    await echoAndAcknowledge(socket, bytes(10));
    await echoAndAcknowledge(socket, "a", {deep: [bytes(3), "b", bytes(0)]}, bytes(10_000), 5);
  });
  add("an acknowledgement within its time", async (t) => {
    const socket = await settle(await connect(t, {transports}));
    assert.equal(await socket.timeout(ACK_MS).emitWithAck("message-with-ack", "in time"), "in time");
  });
  add("an unknown namespace is refused, the others are not", async (t) => {
    const socket = await settle(await connect(t, {transports}));
    const [error] = await next(socket.io.socket("/nowhere"), "connect_error");
    assert.equal(error.message, "Invalid namespace");
    await echo(socket, "still here");
  });
  add("two namespaces over one connection", async (t) => {
    const socket = await settle(await connect(t, {transports}));
    const custom = socket.io.socket("/custom", {auth: {own: true}});
    const auth = next(custom, "auth");
    await connected(custom);
    assert.deepEqual(await auth, [{own: true}]);
    assert.equal(custom.io.engine, socket.io.engine);
    assert.notEqual(custom.id, socket.id);
    await echo(socket, "both");
    custom.disconnect();
    await echo(socket, "one");
  });
  add("disconnects, and connects again on the same manager", async (t) => {
    const socket = await settle(await connect(t, {transports}));
    const gone = next(socket, "disconnect");
    socket.disconnect();
    assert.equal((await gone)[0], "io client disconnect");
    const auth = next(socket, "auth");
    await connected(socket.connect());
    await auth;
    await echo(await settle(socket), "again");
  });
  add("connects again when its engine is closed under it", async (t) => {
    const socket = await settle(await connect(t, {transports}));
    const again = connected(socket);
    socket.io.engine.close();
    await again;
    await echo(await settle(socket), "again");
  });
  add("connects again when its connection is cut", async (t) => {
    const socket = await settle(await connect(t, {transports}));
    const again = connected(socket);
    // As when the network goes away: the transport fails, and nothing is said to the server.
    socket.io.engine.transport.onError("cut");
    await again;
    await echo(await settle(socket), "again");
  });
  add("stays, through some pings", async (t) => {
    const socket = await settle(await connect(t, {transports}));
    const {engine} = socket.io;
    for (let i = 0; i < 4; ++i) await next(engine, "ping");
    assert.equal(socket.io.engine, engine);
    await echo(socket, "still here");
  });
  add("hundreds of messages, each answered once and in order", async (t) => {
    const socket = await settle(await connect(t, {transports}));
    const heard = [];
    socket.on("message-back", (n) => heard.push(n));
    const numbers = Array.from({length: 300}, (_, i) => i);
    const answers = await Promise.all(numbers.map((n) => {
      socket.emit("message", n);
      return socket.emitWithAck("message-with-ack", n);
    }));
    assert.deepEqual(answers, numbers);
    assert.deepEqual(heard, numbers);
  });
}

/** Connects once `ready` says so: what is said meanwhile goes by polling. */
class LateAgent extends http.Agent {
  ready = new Promise((resolve) => (this.go = resolve));

  createConnection({host, port}, done) {
    this.ready.then(() => done(null, net.connect(port, host)));
  }
}

/** Says numbered messages one way and another until the upgrade is well behind, and gives what was said and heard. */
async function cross(t) {
  const agent = new LateAgent();
  t.owns(() => agent.destroy());
  const socket = open(t, {transports: WAYS.upgrade, transportOptions: {websocket: {agent}}});
  const said = [], heard = [], acknowledged = [], outstanding = [];
  let upgradedAt = Infinity;
  socket.on("message-back", (n) => heard.push(n));
  const say = (n) => {
    said.push(n);
    socket.emit("message", n, n % 5 === 0 ? bytes(20) : "x");
    return new Promise((resolve) => socket.emit("message-with-ack", n, (answer) => {
      if (acknowledged.push(answer) === AHEAD) agent.go();
      resolve();
    }));
  };
  await connected(socket);
  const {engine} = socket.io;
  engine.once("upgrading", () => {
    for (let i = 0; i < DURING; ++i) outstanding.push(say(said.length));
  });
  engine.once("upgrade", () => (upgradedAt = said.length));
  const lost = next(socket, "disconnect").then(([why]) => assert.fail(`disconnected: ${why}`));
  lost.catch(() => {});
  while (said.length < upgradedAt + BEHIND) {
    outstanding.push(say(said.length));
    await (outstanding.length < WINDOW ? nextTurn() : Promise.race([outstanding.shift(), lost]));
  }
  await Promise.race([Promise.all(outstanding), lost]);
  return {said, heard, acknowledged};
}

suite.add("upgrade: under traffic all is answered once and in order", async (t) => {
  for (let i = 0; i < CROSSINGS; ++i) {
    const {said, heard, acknowledged} = await cross(t);
    assert.deepEqual(acknowledged, said);
    assert.deepEqual(heard, said);
  }
}, {deadlineMs: 60_000});

suite.add("upgrade: started with websocket, there is none", async (t) => {
  const socket = await connect(t, {transports: ["websocket", "polling"]});
  assert.equal(transportOf(socket), "websocket");
  await echo(socket, "hello");
});

/** The Engine.IO client by itself; messages are Socket.IO's packets without the 4. */
function openEngine(t, transports) {
  const engine = new Engine(base, {path: "/socket.io/", transports});
  t.owns(() => engine.close());
  return engine;
}

async function engineEcho(engine) {
  const messages = [];
  const heard = new Promise((resolve) => engine.on("message", (data) => messages.push(data) === 3 && resolve()));
  engine.send("0");
  // The Node server has no place for an event before it has answered CONNECT.
  await next(engine, "message");
  engine.send('2["message","hello"]');
  await heard;
  assert.match(messages[0], /^0\{"sid":"/u);
  assert.deepEqual(messages.slice(1), ['2["auth",{}]', '2["message-back","hello"]']);
}

for (const [way, transports] of Object.entries(WAYS)) {
  suite.add(`engine.io-client: ${way}`, async (t) => {
    const engine = openEngine(t, transports);
    const handshake = next(engine, "handshake");
    const upgrade = next(engine, "upgrade");
    await next(engine, "open");
    const [{sid, upgrades, pingInterval, pingTimeout, maxPayload}] = await handshake;
    assert.equal(engine.id, sid);
    assert.deepEqual(upgrades, way === "websocket" ? [] : ["websocket"]);
    for (const number of [pingInterval, pingTimeout, maxPayload]) assert.ok(Number.isInteger(number) && number > 0);
    if (way === "upgrade") await upgrade;
    assert.equal(engine.transport.name, transports.at(-1));
    assert.equal(engine.readyState, "open");
    await engineEcho(engine);
    const closed = next(engine, "close");
    engine.close();
    assert.equal((await closed)[0], "forced close");
    assert.equal(engine.readyState, "closed");
  });
}

process.exitCode = await suite.run(options);
