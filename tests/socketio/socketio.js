// What all cases do with a session once Socket.IO is spoken: CONNECT, and the echo of the server under test.
import assert from "node:assert/strict";
import {NOOP} from "./wire.js";

export const BYTES = Buffer.from([1, 2, 3, 4, 0, 255, 30]);

const prefix = (nsp) => (nsp === "/" ? "" : `${nsp},`);

/** CONNECT, its answer, and the `auth` that the server under test says next. Gives the session. */
export async function connect(session, nsp = "/", auth) {
  const payload = auth === undefined ? "" : JSON.stringify(auth);
  await session.send(`40${prefix(nsp)}${payload}`);
  const [answer, said] = await session.receive(2);
  assert.ok(answer.startsWith(`40${prefix(nsp)}{`), answer);
  const {sid} = JSON.parse(answer.slice(2 + prefix(nsp).length));
  assert.ok(typeof sid === "string" && sid.length > 0, answer);
  assert.equal(said, `42${prefix(nsp)}["auth",${payload || "{}"}]`);
  session.sids = {...session.sids, [nsp]: sid};
  return session;
}

/** Says something and must hear that and nothing else. */
export async function sayHello(session, text = "hello") {
  await session.send(`42["message","${text}"]`);
  assert.deepEqual(await session.receive(1), [`42["message-back","${text}"]`]);
}

/** The same in spite of packets by which a polling client is let go. */
export async function echoed(session) {
  await session.send('42["message","still here"]');
  let packet;
  do [packet] = await session.receive(1);
  while (packet === NOOP);
  assert.equal(packet, '42["message-back","still here"]');
}
