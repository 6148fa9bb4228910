// What the recovery rests on is what the stock client does with `pid` and `offset` (docs/adr/0011). A server that only says
// fixed texts shows that it does so still.
import assert from "node:assert/strict";
import {once} from "node:events";
import {io} from "socket.io-client";
import {WebSocketServer} from "ws";

const OPEN = '0{"sid":"e","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":65536}';

/** The next message of a connection that satisfies a condition; what came before it is kept in `seen`. */
async function said(connection, wanted) {
  for (;;) {
    const found = connection.seen.findIndex(wanted);
    if (found >= 0) return connection.seen.splice(found, 1)[0];
    await once(connection, "message");
  }
}

const server = new WebSocketServer({host: "127.0.0.1", port: 0, path: "/socket.io/"});
await once(server, "listening");

/** The next connection, after its CONNECT, and what that had. */
async function accept() {
  const [connection] = await once(server, "connection");
  connection.seen = [];
  connection.on("message", (data) => connection.seen.push(data.toString()));
  connection.send(OPEN);
  const connect = await said(connection, (text) => text.startsWith("40"));
  return {connection, connect: JSON.parse(connect.slice(2) || "{}")};
}

const socket = io(`http://127.0.0.1:${server.address().port}`, {
  transports: ["websocket"], auth: {token: "t"}, reconnectionDelay: 10, reconnectionDelayMax: 10, forceNew: true,
});
const heard = [];
socket.onAny((...args) => heard.push(args));
const connected = () => new Promise((resolve) => socket.once("connect", resolve));
const next = (event) => new Promise((resolve) => socket.once(event, (...args) => resolve(args)));

/** Cuts the connection and gives the next one. */
async function lose(connection) {
  const again = accept();
  connection.terminate();
  return again;
}

async function main() {
  // A client that never was here has nothing to show.
  let {connection, connect} = await accept();
  assert.deepEqual(connect, {token: "t"});
  let up = connected();
  connection.send('40{"sid":"s1","pid":"P1"}');
  await up;
  assert.equal(socket.recovered, false);

  // A position in front of an acknowledgement is in force when the acknowledgement is seen.
  const joined = socket.emitWithAck("communication:join_channel_posts", {channelId: 1});
  const command = await said(connection, (text) => text.startsWith("42"));
  assert.equal(command, '420["communication:join_channel_posts",{"channelId":1}]');
  connection.send('42["communication:position","O1"]');
  connection.send('430[{"ok":true,"data":{}}]');
  assert.deepEqual(await joined, {ok: true, data: {}});
  ({connection, connect} = await lose(connection));
  assert.deepEqual(connect, {pid: "P1", offset: "O1", token: "t"});

  // The same pid: recovered. The offset is an extra last argument, and is taken once the handlers have run.
  up = connected();
  let event = next("communication.channel_post.created");
  connection.send('40{"sid":"s1","pid":"P1"}');
  connection.send('42["communication.channel_post.created",{"eventId":"e"},{"room":"r","prevEventId":null},"O2"]');
  await up;
  assert.equal(socket.recovered, true);
  assert.deepEqual(await event, [{eventId: "e"}, {room: "r", prevEventId: null}, "O2"]);

  // What has no text at its end moves nothing.
  event = next("auth:expiring");
  connection.send('42["auth:expiring",{"expiresAt":"x"}]');
  await event;
  ({connection, connect} = await lose(connection));
  assert.deepEqual(connect, {pid: "P1", offset: "O2", token: "t"});

  // Another pid: not recovered, and the offset of the session that was given up goes on under the new one.
  up = connected();
  connection.send('40{"sid":"s2","pid":"P2"}');
  await up;
  assert.equal(socket.recovered, false);
  ({connection, connect} = await lose(connection));
  assert.deepEqual(connect, {pid: "P2", offset: "O2", token: "t"});

  // room_left carries a position by itself; any text at the end is one, "-" as well.
  up = connected();
  event = next("communication:room_left");
  connection.send('40{"sid":"s2","pid":"P2"}');
  await up;
  connection.send('42["communication:room_left",{"room":"r","reason":"DISCUSSION_BANNED"},"-"]');
  assert.deepEqual(await event, [{room: "r", reason: "DISCUSSION_BANNED"}, "-"]);
  ({connection, connect} = await lose(connection));
  assert.deepEqual(connect, {pid: "P2", offset: "-", token: "t"});

  // Without a pid the client shows nothing the next time, and takes no offset meanwhile.
  up = connected();
  event = next("communication:position");
  connection.send('40{"sid":"s3"}');
  await up;
  connection.send('42["communication:position","O3"]');
  await event;
  ({connection, connect} = await lose(connection));
  assert.deepEqual(connect, {token: "t"});

  // But it has not forgotten the last one that it took.
  up = connected();
  connection.send('40{"sid":"s4","pid":"P4"}');
  await up;
  ({connection, connect} = await lose(connection));
  assert.deepEqual(connect, {pid: "P4", offset: "-", token: "t"});

  // A CONNECT_ERROR says why.
  const refused = next("connect_error");
  connection.send('44{"message":"No.","data":{"code":"UNAUTHORIZED"}}');
  const [error] = await refused;
  assert.equal(error.message, "No.");
  assert.deepEqual(error.data, {code: "UNAUTHORIZED"});
  assert.equal(heard.length, 5);
}

const deadline = setTimeout(() => {
  console.error("the client did not say what it should have");
  process.exit(1);
}, 30000);
await main();
clearTimeout(deadline);
socket.disconnect();
for (const client of server.clients) client.terminate();
server.close();
console.log("the stock client keeps pid and offset as the recovery needs it");
