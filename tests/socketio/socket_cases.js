// What Socket.IO 5 asks of a server, by each transport.
import assert from "node:assert/strict";
import {openLine, transports} from "./wire.js";
import {connect, sayHello} from "./socketio.js";

const ONE = Buffer.from([1, 2, 3]);
const TWO = Buffer.from([4, 5, 6]);
const PLACE_0 = '{"_placeholder":true,"num":0}';
const PLACE_1 = '{"_placeholder":true,"num":1}';
const AUTH = {flavour: "abc", more: [1, null, {deep: true}]};
/** The server's own, which may be ten seconds; pings are answered all the time. */
const CONNECT_DEADLINE_MS = 60_000;

export function addSocketCases(suite, address) {
  for (const [transport, open] of Object.entries(transports)) {
    const add = (name, run) => suite.add(`${transport}: ${name}`, async (t) => run(await open(t, address), t));
    addConnects(add);
    addDisconnects(add);
    addMessages(add);
    addAcknowledgements(add);
  }
  suite.add("connect: whoever never does is closed, though it answers pings", async (t) => {
    const line = await openLine(t, address);
    assert.deepEqual(await line.ended(), []);
  }, {deadlineMs: CONNECT_DEADLINE_MS});
}

function addConnects(add) {
  add("CONNECT to the main namespace", (session) => connect(session));
  add("CONNECT to the main namespace with a payload", (session) => connect(session, "/", AUTH));
  add("CONNECT to another namespace", (session) => connect(session, "/custom"));
  add("CONNECT to another namespace with a payload", (session) => connect(session, "/custom", AUTH));
  add("CONNECT to another namespace without a comma", async (session) => {
    await session.send("40/custom");
    const [answer, said] = await session.receive(2);
    assert.match(answer, /^40\/custom,\{"sid":"/u);
    assert.equal(said, '42/custom,["auth",{}]');
  });
  add("CONNECT to both namespaces gives two ids, none of them the session's", async (session) => {
    await connect(session);
    await connect(session, "/custom");
    assert.equal(new Set([...Object.values(session.sids), session.handshake.sid]).size, 3);
    await sayHello(session);
  });
  for (const nsp of ["/random", "/custom/", "/Custom", "/__proto__"]) {
    add(`CONNECT to an unknown namespace is refused, and only that: ${nsp}`, async (session) => {
      await session.send(`40${nsp}`);
      assert.deepEqual(await session.receive(1), [`44${nsp},{"message":"Invalid namespace"}`]);
      await sayHello(await connect(session));
    });
  }
}

function addDisconnects(add) {
  add("DISCONNECT leaves the session open", async (session) => {
    await connect(session);
    await session.send("41");
    await connect(session, "/custom"); // the Node server needs a moment, and this answer shows that it has passed
    const before = session.sids["/"];
    await connect(session);
    assert.notEqual(session.sids["/"], before);
    await sayHello(session);
  });
  add("DISCONNECT from one namespace leaves the other", async (session) => {
    await connect(session);
    await connect(session, "/custom");
    await session.send("41/custom");
    await sayHello(session);
    await session.send("41");
    await connect(session, "/custom");
  });
  add("an event after DISCONNECT ends the session", async (session) => {
    await connect(session);
    await session.send("41");
    await connect(session, "/custom");
    await session.send('42["message","too late"]');
    assert.deepEqual(await session.ended(), []);
  });
}

function addMessages(add) {
  const echo = (name, said, heard) => add(name, async (session) => {
    await connect(session);
    await session.send(...said);
    assert.deepEqual(await session.receive(heard.length), heard);
    await sayHello(session);
  });
  echo("an event with text", ['42["message",1,"2",{"3":[true]}]'], ['42["message-back",1,"2",{"3":[true]}]']);
  echo("an event without arguments", ['42["message"]'], ['42["message-back"]']);
  echo("an event with every kind of value", ['42["message",null,true,false,0,-1,1.5,"",[],{},[[{"a":{"b":[]}}]]]'],
    ['42["message-back",null,true,false,0,-1,1.5,"",[],{},[[{"a":{"b":[]}}]]]']);
  echo("an event with escapes", ['42["message","\\"\\\\\\n\\u001e\\u0001é"]'], ['42["message-back","\\"\\\\\\n\\u001e\\u0001é"]']);
  echo("an event with bytes", [`452-["message",${PLACE_0},${PLACE_1}]`, ONE, TWO],
    [`452-["message-back",${PLACE_0},${PLACE_1}]`, ONE, TWO]);
  echo("an event with text and bytes", [`452-["message","a",{"deep":[${PLACE_0},1]},${PLACE_1},"z"]`, ONE, TWO],
    [`452-["message-back","a",{"deep":[${PLACE_0},1]},${PLACE_1},"z"]`, ONE, TWO]);
  echo("an event with no bytes at all in its attachment", [`451-["message",${PLACE_0}]`, Buffer.alloc(0)],
    [`451-["message-back",${PLACE_0}]`, Buffer.alloc(0)]);
  add("events keep their order, those with bytes too", async (session) => {
    await connect(session);
    const said = [], heard = [];
    for (let i = 0; i < 40; ++i) {
      const bytes = Buffer.from([i]);
      said.push(`42["message",${i}]`, `451-["message",${PLACE_0}]`, bytes);
      heard.push(`42["message-back",${i}]`, `451-["message-back",${PLACE_0}]`, bytes);
    }
    await session.send(...said);
    assert.deepEqual(await session.receive(heard.length), heard);
  });
}

function addAcknowledgements(add) {
  const answer = (name, said, heard) => add(name, async (session) => {
    await connect(session);
    await session.send(...said);
    assert.deepEqual(await session.receive(heard.length), heard);
  });
  answer("an acknowledgement with text", ['42456["message-with-ack",1,"2",{"3":[false]}]'], ['43456[1,"2",{"3":[false]}]']);
  answer("an acknowledgement without arguments", ['420["message-with-ack"]'], ["430[]"]);
  answer("an acknowledgement with bytes", [`452-789["message-with-ack",${PLACE_0},${PLACE_1}]`, ONE, TWO],
    [`462-789[${PLACE_0},${PLACE_1}]`, ONE, TWO]);
  answer("an acknowledgement with text and bytes", [`451-7["message-with-ack","a",{"b":${PLACE_0}},2]`, ONE],
    [`461-7["a",{"b":${PLACE_0}},2]`, ONE]);
  answer("an acknowledgement with the largest id", ['429007199254740991["message-with-ack","x"]'], ['439007199254740991["x"]']);
  add("acknowledgements to events with one id are as many", async (session) => {
    await connect(session);
    await session.send('425["message-with-ack","one"]', '425["message-with-ack","two"]');
    assert.deepEqual(await session.receive(2), ['435["one"]', '435["two"]']);
  });
  add("an acknowledgement that nobody asked for is ignored", async (session) => {
    await connect(session);
    await session.send('4399["what for"]');
    await sayHello(session);
  });
}
