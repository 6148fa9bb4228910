// Engine.IO as bytes: requests by node:http, WebSockets by ws, and sessions over one, the other, or both. What a session sends
// and receives are Engine.IO packets: texts with their type in front, and Buffers.
import assert from "node:assert/strict";
import http from "node:http";
import WebSocket from "ws";

export const SEPARATOR = "\u001e";
export const OPEN = "0", CLOSE = "1", PING = "2", PONG = "3", UPGRADE = "5", NOOP = "6";

/** Where to; `path` may be any text that HTTP carries. */
export class Address {
  constructor(base) {
    this.base = new URL(base);
  }

  http(query) {
    return {host: this.base.hostname, port: this.base.port, path: `/socket.io/${query}`};
  }

  ws(query) {
    return `ws://${this.base.host}/socket.io/${query}`;
  }
}

export const POLLING = "?EIO=4&transport=polling";
export const WEBSOCKET = "?EIO=4&transport=websocket";

/** A request under way. `answer` is `{status, headers, text}`; whoever never asks for it is not bothered by its failure. */
export class Request {
  constructor(t, address, query, {method = "GET", headers = {}, agent} = {}) {
    this.request = http.request({...address.http(query), method, headers, agent: agent ?? false});
    this.answer = new Promise((resolve, reject) => {
      this.request.on("error", reject);
      this.request.on("response", (response) => {
        const parts = [];
        response.on("data", (part) => parts.push(part));
        response.on("error", reject);
        response.on("end", () => resolve({status: response.statusCode, headers: response.headers, text: Buffer.concat(parts).toString()}));
      });
    });
    this.answer.catch(() => {});
    t.owns(() => this.request.destroy());
  }

  /** Resolves once the bytes are with the kernel. */
  write(part) {
    return new Promise((resolve) => this.request.write(part, resolve));
  }

  end(part) {
    return new Promise((resolve) => this.request.end(part, resolve));
  }
}

export async function ask(t, address, query, {body, ...options} = {}) {
  const one = new Request(t, address, query, options);
  one.end(body);
  return one.answer;
}

/** Things that arrive, until there are no more. */
class Inbox {
  #items = [];
  #waiting = [];
  #end;

  put(item) {
    const taker = this.#waiting.shift();
    if (taker) taker.resolve(item);
    else this.#items.push(item);
  }

  finish(why) {
    this.#end ??= why;
    for (const taker of this.#waiting.splice(0)) taker.reject(this.#end);
  }

  take() {
    if (this.#items.length > 0) return Promise.resolve(this.#items.shift());
    const taken = this.#end ? Promise.reject(this.#end) : new Promise((resolve, reject) => this.#waiting.push({resolve, reject}));
    taken.catch(() => {});
    return taken;
  }

  rest() {
    return this.#items.splice(0);
  }
}

/** One WebSocket. Pings are answered and not shown, unless `pongs` is false. */
export class Line {
  #inbox = new Inbox();

  constructor(t, address, query, {pongs = true} = {}) {
    this.pongs = pongs;
    this.socket = new WebSocket(address.ws(query), {perMessageDeflate: false});
    /** `{code}` of the close frame, or `{status}` of a refused handshake. */
    this.end = new Promise((resolve) => {
      const ended = (how) => {
        this.#inbox.finish(new Error(`the WebSocket is closed: ${JSON.stringify(how)}`));
        resolve(how);
      };
      this.socket.on("unexpected-response", (request, response) => {
        request.destroy();
        ended({status: response.statusCode});
      });
      this.socket.on("close", (code) => ended({code}));
    });
    this.opened = new Promise((resolve, reject) => {
      this.socket.on("open", resolve);
      this.end.then((how) => reject(new Error(`not opened: ${JSON.stringify(how)}`)));
    });
    this.opened.catch(() => {});
    this.socket.on("error", () => {});
    this.socket.on("message", (data, isBinary) => this.#arrived(isBinary ? data : data.toString()));
    t.owns(() => this.socket.terminate());
  }

  #arrived(packet) {
    if (packet === PING && this.pongs) this.socket.send(PONG);
    else this.#inbox.put(packet);
  }

  send(...packets) {
    for (const packet of packets) this.socket.send(packet);
  }

  next() {
    return this.#inbox.take();
  }

  async receive(count) {
    const packets = [];
    while (packets.length < count) packets.push(await this.next());
    return packets;
  }

  /** Waits until the server has closed it, and gives what came before that. */
  async ended() {
    this.how = await this.end;
    return this.#inbox.rest();
  }
}

/** A WebSocket that the server must not make a session of: refused, or closed at once without a packet. */
export async function refusedLine(t, address, query) {
  const line = new Line(t, address, query);
  assert.deepEqual(await line.ended(), []);
  if (line.how.status !== undefined) assert.ok(line.how.status >= 400 && line.how.status < 500, `status ${line.how.status}`);
}

export function parseOpen(packet) {
  assert.equal(packet[0], OPEN);
  return JSON.parse(packet.slice(1));
}

export const toPayload = (packets) =>
  packets.map((packet) => (Buffer.isBuffer(packet) ? "b" + packet.toString("base64") : packet)).join(SEPARATOR);

export const fromPayload = (body) =>
  body.split(SEPARATOR).map((text) => (text[0] === "b" ? Buffer.from(text.slice(1), "base64") : text));

/** A session by polling, over connections that are kept. */
export class Polling {
  #received = [];

  static async open(t, address) {
    const session = new Polling();
    session.t = t;
    session.address = address;
    session.agent = new http.Agent({keepAlive: true});
    t.owns(() => session.agent.destroy());
    const answer = await ask(t, address, POLLING, {agent: session.agent});
    assert.equal(answer.status, 200, answer.text);
    session.handshake = parseOpen(answer.text);
    session.query = `${POLLING}&sid=${session.handshake.sid}`;
    session.wsQuery = `${WEBSOCKET}&sid=${session.handshake.sid}`;
    return session;
  }

  get() {
    return ask(this.t, this.address, this.query, {agent: this.agent});
  }

  post(body) {
    const headers = {"content-type": "text/plain;charset=UTF-8"};
    return ask(this.t, this.address, this.query, {agent: this.agent, method: "POST", body, headers});
  }

  /** A POST that must be taken. */
  async send(...packets) {
    const answer = await this.post(toPayload(packets));
    assert.deepEqual([answer.status, answer.text], [200, "ok"]);
  }

  /** What one GET brings, which must be taken; a ping in it is answered and not shown. */
  async poll() {
    const answer = await this.get();
    assert.equal(answer.status, 200, answer.text);
    const packets = fromPayload(answer.text);
    if (packets.includes(PING)) await this.send(PONG);
    return packets.filter((packet) => packet !== PING);
  }

  async receive(count) {
    while (this.#received.length < count) this.#received.push(...(await this.poll()));
    return this.#received.splice(0, count);
  }

  /** Asks until the session is unknown, and gives what came before that. Unless it is so at once, the last is the close packet. */
  async ended() {
    const packets = this.#received.splice(0);
    for (let told = false; ; told = true) {
      const answer = await this.get();
      if (answer.status !== 200) {
        assert.equal(answer.status, 400);
        if (told) assert.equal(packets.pop(), CLOSE);
        return packets.filter((packet) => packet !== PING && packet !== NOOP);
      }
      packets.push(...fromPayload(answer.text));
    }
  }

  /** Whether requests of this session are refused, by asking just once. */
  async refused() {
    for (const answer of [await this.get(), await this.post(NOOP)]) assert.equal(answer.status, 400, answer.text);
  }
}

/** A session that began as WebSocket. */
export async function openLine(t, address, options) {
  const line = new Line(t, address, WEBSOCKET, options);
  line.handshake = parseOpen(await line.next());
  return line;
}

/** The probe's WebSocket of a session, answered by the server. */
export async function probe(session) {
  const line = new Line(session.t, session.address, session.wsQuery);
  await line.opened;
  line.send(PING + "probe");
  assert.equal(await line.next(), PONG + "probe");
  return line;
}

/** Lets the waiting GET end, as a client does before it says `5`, and gives what that brought. */
export async function drained(session) {
  const packets = [];
  while (!packets.includes(NOOP)) packets.push(...(await session.poll()));
  return packets.filter((packet) => packet !== NOOP);
}

async function openUpgraded(t, address) {
  const session = await Polling.open(t, address);
  const line = await probe(session);
  assert.deepEqual(await drained(session), []);
  line.send(UPGRADE);
  line.handshake = session.handshake;
  return line;
}

/** By name: how a session gets its transport. */
export const transports = {polling: Polling.open, websocket: openLine, upgraded: openUpgraded};
