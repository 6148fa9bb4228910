// Input that no decent client sends. Whatever it is, its own session ends or its request is refused, and the server goes on.
import assert from "node:assert/strict";
import {NOOP, PONG, Polling, Request, SEPARATOR, openLine, toPayload, transports} from "./wire.js";
import {BYTES, connect, sayHello} from "./socketio.js";

const PLACE = '{"_placeholder":true,"num":0}';
const RESERVED = ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];
const deep = (depth) => "[".repeat(depth) + "]".repeat(depth);

/** A name and the packets that end a session once it is connected. */
const BAD = [
  ["an unknown packet type", "4abc"],
  ["a packet type that is too large", '47["message"]'],
  ["an empty message", "4"],
  ["an event that is an object", "42{}"],
  ["an event that is an object with something in it", '42{"0":"message"}'],
  ["an event that is a text", '42"message"'],
  ["an event that is no JSON", '42["message"'],
  ["an event with something behind its JSON", '42["message"]x'],
  ["an event without a name", "42[]"],
  ["an event whose name is an object", "42[{}]"],
  ["an event whose name is an array", '42[["message"]]'],
  ["an event whose name is null", "42[null]"],
  ["an event whose name is true", "42[true]"],
  ...RESERVED.map((name) => [`an event with the reserved name ${name}`, `42["${name}"]`]),
  ["a binary event with a reserved name", `451-["disconnecting",${PLACE}]`, BYTES],
  ["an acknowledgement id that is a word", '42abc["message-with-ack","x"]'],
  ["an acknowledgement id with a sign", '42-1["message-with-ack","x"]'],
  ["an acknowledgement id with a fraction", '421.5["message-with-ack","x"]'],
  ["an acknowledgement id with an exponent", '421e3["message-with-ack","x"]'],
  ["an acknowledgement that is an object", "431{}"],
  ["an acknowledgement that is no JSON", "431["],
  ["far too many attachments", '45999999999-["x"]'],
  ["more attachments than there are numbers for", `45${"9".repeat(400)}-["x"]`],
  ["one attachment more than is allowed", '4511-["message"]'],
  ["no attachments in a binary event", '450-["message"]'],
  ["attachments without a number", '45-["message"]'],
  ["attachments with a sign", `45-1-["message",${PLACE}]`],
  ["attachments with a fraction", `451.5-["message",${PLACE}]`],
  ["attachments that are a word", '45abc-["message"]'],
  ["attachments without a dash", '451["message"]'],
  ["a place beyond the attachments", '451-["message",{"_placeholder":true,"num":1}]', BYTES],
  ["a place with a negative number", '451-["message",{"_placeholder":true,"num":-1}]', BYTES],
  ["a place with a text for a number", '451-["message",{"_placeholder":true,"num":"0"}]', BYTES],
  ["a place without a number", '451-["message",{"_placeholder":true}]', BYTES],
  ["bytes without a packet that announces them", BYTES],
  ["bytes behind a packet that announces none", '42["message"]', BYTES],
  ["a text where bytes are due", `451-["message",${PLACE}]`, '42["message"]'],
  ["a second CONNECT", "40"],
  ["a second CONNECT with a payload", '40{"a":1}'],
  ["CONNECT with an array", "40/custom,[]"],
  ["CONNECT with a text", '40/custom,"x"'],
  ["CONNECT with null", "40/custom,null"],
  ["CONNECT with no JSON", "40/custom,{"],
  ["DISCONNECT with data", "41{}"],
  ["CONNECT_ERROR from a client", '44{"message":"no"}'],
  ["an event in a namespace without CONNECT", '42/custom,["message"]'],
  ["an event in a namespace that is not there", '42/random,["message"]'],
  ["a ping from a client", "2"],
];

/** Those that Belfry refuses and the Node server takes in some way. */
const BAD_HERE = [
  ["an event without data", "42"],
  ["an acknowledgement without data", "431"],
  ["an acknowledgement of nothing", "43[]"],
  ["an acknowledgement id beyond 2^53", '429007199254740992["message-with-ack","x"]'],
  ["an acknowledgement id of many digits", `42${"9".repeat(400)}["message-with-ack","x"]`],
  ["an acknowledgement id with a zero in front", '4201["message-with-ack","x"]'],
  ["an id in a CONNECT", "40/custom,5{}"],
  ["attachments with a zero in front", `4501-["message",${PLACE}]`, BYTES],
  ["an attachment without a place", '451-["message"]', BYTES],
  ["an attachment with two places", `451-["message",${PLACE},${PLACE}]`, BYTES],
  ["white space in front of the data", '42 ["message"]'],
  ["a name twice in an object", '42["message",{"a":1,"a":2}]'],
  ["a number that is none", '42["message",1e999]'],
  ["half a surrogate pair", '42["message","\\ud800"]'],
  ["arrays thirty thousand deep", `42["message",${deep(30_000)}]`],
  ["a long namespace", `40/${"n".repeat(5000)}`],
  ["an open packet from a client", "0{}"],
  ["an upgrade outside of a probe", "5"],
  ["a close packet with data", "1x"],
];

/** What ends a session that is not connected yet. */
const BAD_AT_FIRST = [
  ["an event", '42["message","hello"]'],
  ["an event of another namespace", '42/custom,["message"]'],
  ["an event with an id", '421["message-with-ack"]'],
  ["a binary event", `451-["message",${PLACE}]`, BYTES],
  ["bytes", BYTES],
  ["an acknowledgement", '431["x"]'],
  ["DISCONNECT", "41"],
  ["CONNECT with an array", "40[]"],
  ["an unknown packet type", "4abc"],
];

export function addHardCases(suite, address) {
  const stillServes = async (t) => sayHello(await connect(await openLine(t, address)));
  const hard = (add, name, run) => add.call(suite, `hard: ${name}`, async (t) => {
    await run(t);
    await stillServes(t);
  });
  addBadPackets(suite, address, hard);
  addBadBodies(suite, address, hard);
  addLimits(suite, address, hard);
}

const isEcho = (packet) => typeof packet === "string" && packet.startsWith('42["message-back"');

/** Ended by what is sent, without a word; an event in front of what ends it may have been answered. */
async function mustEnd(session, ...packets) {
  // Its POST may be refused.
  if (session instanceof Polling) await session.post(toPayload(packets)).catch(() => {});
  else session.send(...packets);
  assert.deepEqual((await session.ended()).filter((packet) => !isEcho(packet)), []);
}

function addBadPackets(suite, address, hard) {
  for (const [transport, open] of Object.entries(transports)) {
    for (const [name, ...packets] of BAD) {
      hard(suite.add, `${transport}: ${name}`, async (t) => mustEnd(await connect(await open(t, address)), ...packets));
    }
    for (const [name, ...packets] of BAD_HERE) {
      hard(suite.belfry, `${transport}: ${name}`, async (t) => mustEnd(await connect(await open(t, address)), ...packets));
    }
    for (const [name, ...packets] of BAD_AT_FIRST) {
      hard(suite.add, `${transport}: ${name} before CONNECT`, async (t) => mustEnd(await open(t, address), ...packets));
    }
  }
}

/** A POST that must be refused by one of these. */
async function mustRefuse(session, body, statuses) {
  const answer = await session.post(body);
  assert.ok(statuses.includes(answer.status), `status ${answer.status}`);
}

function addBadBodies(suite, address, hard) {
  const bad = (name, body) => hard(suite.belfry, `a POST with ${name}`, async (t) => {
    const session = await connect(await Polling.open(t, address));
    await mustRefuse(session, body, [400]);
    await session.refused();
  });
  bad("no base 64", "bnot*base64");
  bad("bytes that are no UTF-8", Buffer.from([0x34, 0xff, 0xfe]));
  bad("thirty thousand packets", Array(30_000).fill(NOOP).join(SEPARATOR));
  hard(suite.add, "a POST with a hundred thousand packets", async (t) => {
    const session = await connect(await Polling.open(t, address));
    await mustRefuse(session, Array(100_000).fill(PONG).join(SEPARATOR), [400, 413]);
  });
  hard(suite.add, "a websocket message that is no UTF-8", async (t) => {
    const line = await connect(await openLine(t, address));
    line.socket.send(Buffer.from([0x34, 0x32, 0xff, 0xfe]), {binary: false});
    assert.deepEqual(await line.ended(), []);
    assert.equal(line.how.code, 1007);
  });
}

/** An event of so many bytes. */
const eventOf = (bytes) => `42["message","${"x".repeat(bytes - '42["message",""]'.length)}"]`;
const answerTo = (event) => event.replace("message", "message-back");

function addLimits(suite, address, hard) {
  for (const [transport, open] of Object.entries(transports)) {
    hard(suite.add, `${transport}: as much as maxPayload says is taken`, async (t) => {
      const session = await connect(await open(t, address));
      const event = eventOf(session.handshake.maxPayload);
      await session.send(event);
      assert.deepEqual(await session.receive(1), [answerTo(event)]);
    });
  }
  hard(suite.add, "a POST of one byte more than maxPayload", async (t) => {
    const session = await connect(await Polling.open(t, address));
    await mustRefuse(session, eventOf(session.handshake.maxPayload + 1), [400, 413]);
  });
  hard(suite.add, "a POST of more than maxPayload that does not say its length", async (t) => {
    const session = await connect(await Polling.open(t, address));
    const post = new Request(t, address, session.query, {method: "POST", headers: {"transfer-encoding": "chunked"}});
    post.end(eventOf(session.handshake.maxPayload + 1));
    assert.ok([400, 413].includes((await post.answer).status));
  });
  hard(suite.add, "a websocket message of one byte more than maxPayload", async (t) => {
    const line = await connect(await openLine(t, address));
    line.send(eventOf(line.handshake.maxPayload + 1));
    assert.deepEqual(await line.ended(), []);
    assert.equal(line.how.code, 1009);
  });
  hard(suite.add, "an attachment of one byte more than maxPayload", async (t) => {
    const line = await connect(await openLine(t, address));
    line.send(`451-["message",${PLACE}]`, Buffer.alloc(line.handshake.maxPayload + 1));
    assert.deepEqual(await line.ended(), []);
  });
}
