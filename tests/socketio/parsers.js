// The codecs against the stock parsers. What we take they take alike; what we write they read; and what only they take is
// refused for a reason in a list.
import assert from "node:assert/strict";
import {execFileSync} from "node:child_process";
import {decodePacket, decodePayload} from "engine.io-parser";
import {Decoder, Encoder, PacketType} from "socket.io-parser";
import {makeRandom, mutated, pick, text, value} from "./random.js";

const ROUNDS = 6000;
const TYPES = ["open", "close", "ping", "pong", "message", "upgrade", "noop"];
const SEPARATOR = "\u001e";
const binary = process.argv[2];
const random = makeRandom(Number(process.env.BELFRY_SEED ?? 20240117));

const hex = (bytes) => (bytes.length === 0 ? "-" : Buffer.from(bytes).toString("hex"));
const unhex = (digits) => Buffer.from(digits, "hex");
const words = (digits) => unhex(digits).toString("utf8");
/** JavaScript has texts that are no Unicode; no client can send them. */
const sendable = (string) => string.isWellFormed?.() ?? Buffer.from(string).toString() === string;

// --- Cases.

const ENGINE = ["", "0{}", "1", "2", "2probe", "3", "3probe", "4", "4hello", "5", "6", "7", "abc", "bAQID", "44", "1x", "5x", "6x", " 4"];

function* engineCases() {
  yield* ENGINE;
  for (let i = 0; i < ROUNDS; ++i) yield random(2) ? mutated(random, pick(random, ENGINE)) : String(random(8)) + text(random);
}

function* payloadCases() {
  const packet = () => (random(4) ? String(random(7)) + (random(2) ? text(random).replaceAll(SEPARATOR, "") : "") : "b" + base64());
  const base64 = () => Buffer.from(Array.from({length: random(6)}, () => random(256))).toString("base64");
  yield* ["", SEPARATOR, "4a" + SEPARATOR, "4a" + SEPARATOR + "4b", "4hello" + SEPARATOR + "bAQIDBA==", "b", "bAQI", "bAR=="];
  yield Array(1000).fill("3").join(SEPARATOR);
  yield Array(1001).fill("3").join(SEPARATOR);
  for (let i = 0; i < ROUNDS; ++i) {
    const body = Array.from({length: 1 + random(4)}, packet).join(SEPARATOR);
    yield random(3) ? body : mutated(random, body);
  }
}

/** Packets as an application makes them. */
function makePacket() {
  let attached = 0;
  const bytes = () => (attached < 10 ? (++attached, Buffer.from(Array.from({length: random(5)}, () => random(256)))) : null);
  const attach = random(3) ? undefined : bytes;
  const nsp = pick(random, ["/", "/", "/custom", "/a/b", "/é", "/a b"]);
  const args = () => Array.from({length: random(4)}, () => value(random, 3, attach));
  const id = random(2) ? pick(random, [0, 1, 7, 456, random(1e9), Number.MAX_SAFE_INTEGER]) : undefined;
  switch (random(5)) {
    case 0: return {type: PacketType.CONNECT, nsp, data: random(2) ? {token: text(random), ...(random(2) ? {more: value(random)} : {})} : undefined};
    case 1: return {type: PacketType.DISCONNECT, nsp};
    case 2: return {type: PacketType.ACK, nsp, id: id ?? 3, data: args()};
    case 3: return {type: PacketType.CONNECT_ERROR, nsp, data: random(2) ? {message: text(random)} : text(random)};
    default: return {type: PacketType.EVENT, nsp, id, data: [random(8) ? "e" + text(random) : random(9), ...args()]};
  }
}

const PLACE = '{"_placeholder":true,"num":0}';
const SOCKET = ["", " ", "0", "0{}", "0[]", "05{}", "1", "1{}", "10", "2", "2[]", "2{}", "2[{}]", '2["e"]', "2[5]", "2[null]", '2["connect"]', '2["newListener"]',
  '212["e"]', '2012["e"]', '2 ["e"]', '29007199254740991["e"]', '29007199254740992["e"]', '2-1["e"]', '21.5["e"]', '21e3["e"]', "3[]", "3", "31[]", "31{}", "4", '4"no"',
  "4{}", "4[]", "0/custom", "0/custom,", "0/admin?token=1&a=b,{}", "41/x", "5-[]", '50-["e"]', '51000000000-["e",{"_placeholder":true,"num":0}]', "abc", "9", "0null",
  "0/" + "n".repeat(200), "2/" + "n".repeat(127) + ',["e"]',
  "2" + "[".repeat(70) + "]".repeat(70), '2["e",1e400]', '2["e",{"a":1,"a":2}]', '2["e","\\u0000"]', '2["e","\\ud800"]', '2["e",{"__proto__":1}]', '2["e", 1 ]', "2/,[\"e\"]"];

function* socketCases() {
  const encoder = new Encoder();
  for (const line of SOCKET) yield {parts: [line]};
  for (const count of ["1", "01", "+1", " 1", "1.0", "1e0", "1000000000", "-1", "0x1", ""]) yield {parts: [`5${count}-["e",${PLACE}]`, Buffer.from("x")]};
  for (let i = 0; i < ROUNDS; ++i) {
    const packet = makePacket();
    const [line, ...attachments] = encoder.encode(structuredClone(packet));
    // Buffers do not survive the clone as buffers; the parser takes any array of bytes.
    yield {parts: [line, ...attachments.map((bytes) => Buffer.from(bytes))], valid: true};
    yield {parts: [mutated(random, line), ...attachments.map((bytes) => Buffer.from(bytes))]};
  }
}

// --- What the stock parsers say.

function stockEngine(line) {
  const packet = decodePacket(line, "nodebuffer");
  return packet.type === "error" ? undefined : [packet];
}

function stockPayload(body) {
  const packets = decodePayload(body, "nodebuffer");
  return packets.some((packet) => packet.type === "error") ? undefined : packets;
}

function stockSocket(parts) {
  const decoder = new Decoder();
  let decoded;
  decoder.on("decoded", (packet) => (decoded = packet));
  try {
    for (const part of parts) decoder.add(part);
  } catch {
    return undefined;
  }
  return decoded;
}

// --- Comparisons.

const stricter = {
  engine: (line) => /^[156]./su.test(line) || line.startsWith("b"),
  payload: (body) => {
    const packets = body.split(SEPARATOR);
    const canonical = (packet) => Buffer.from(packet.slice(1), "base64").toString("base64") === packet.slice(1);
    return packets.length > 1000 || packets.some((packet) => (packet.startsWith("b") ? !canonical(packet) : stricter.engine(packet)));
  },
  /** The reason we give, and when it is true that the stock parser is only more lenient. */
  socket: {
    "an empty packet": (line) => line === "",
    "an unknown packet type": (line) => line[0].trim() === "", // to JavaScript a blank is a zero
    "an id where none belongs": (line) => /^[014]/u.test(line),
    "an acknowledgement of nothing": (line) => /^[36]/u.test(line),
    "no data where some belongs": (line) => /^[23456]/u.test(line),
    "an id out of range": () => true,
    "data of no kind that belongs": (line) => /\s/u.test(line), // a blank among the digits of an id, or in front of the data
    "a long namespace": (line) => line.length > 128,
    "a control character in a namespace": (line) => line.includes("/"),
    "data that is no JSON to be had": lenientJson,
    "attachments and their places differ": (line) => !namesEachOnce(line),
    "no number of attachments": (line) => /^[56](?![1-9][0-9]*-)/u.test(line), // signs, blanks, exponents, zeros in front
  },
};

const jsonOf = (line) => line.replace(/^.(?:[0-9]+-)?(?:\/[^,]*,?)?[0-9]*/su, "");

/** JSON of which not every receiver would make the same, or none could keep it. */
function lenientJson(line) {
  const json = jsonOf(line);
  return json.includes("\\u0000") || /\\ud[89a-f]/iu.test(json) || /[0-9][eE]\+?[0-9]{3}/u.test(json) || /[0-9]{300}/u.test(json) ||
    /\[{64}/u.test(json) || hasName(json);
}

/** A name that stands twice in one object is lost by the time JavaScript has parsed it. */
function hasName(json) {
  const count = (json.match(/"(?:[^"\\]|\\.)*"\s*:/gu) ?? []).length;
  let kept = 0;
  JSON.parse(json, function (key, item) {
    if (!Array.isArray(this) && !(key === "" && Object.keys(this).length === 1 && this[""] === item)) ++kept;
    return item;
  });
  return count > kept;
}

/** Whether each attachment has one place in the data. */
function namesEachOnce(line) {
  const places = [];
  JSON.parse(jsonOf(line), (_, item) => {
    if (item?._placeholder === true) places.push(item.num);
    return item;
  });
  const count = Number(/^.([0-9]+)-/u.exec(line)[1]);
  return places.length === count && places.sort((one, other) => one - other).every((num, at) => num === at);
}

function compareEngine(name, line, answer, stock) {
  if (answer.refused !== undefined) {
    if (stock !== undefined) assert.ok(stricter[name](line), `refused: ${answer.refused}`);
    return `${name}: ${stock === undefined ? "both refuse" : "stricter"}`;
  }
  assert.ok(stock !== undefined, "taken, but not by the stock parser");
  assert.deepEqual(answer.packets.map((packet) => ({type: TYPES[packet.type], data: packet.binary ? unhex(packet.data) : words(packet.data)})),
    stock.map((packet) => ({type: packet.type, data: packet.data ?? ""})));
  assert.equal(words(answer.again), line, "written otherwise");
  return `${name}: both take`;
}

/** The same value, with the attachments where they belong. */
function assembled(item, attachments) {
  if (item === null || typeof item !== "object") return item;
  if (item._placeholder === true) return attachments[item.num];
  if (Array.isArray(item)) return item.map((inner) => assembled(inner, attachments));
  return Object.fromEntries(Object.entries(item).map(([key, inner]) => [key, assembled(inner, attachments)]));
}

/** As JSON knows values: 0 and -0 are the same, and an object's name is just a name. */
const plain = (item) => JSON.parse(JSON.stringify(item ?? null));

function compareSocket(parts, answer, valid) {
  const stock = stockSocket(parts);
  if (answer.refused !== undefined) {
    if (stock === undefined) return "both refuse";
    const lenient = stricter.socket[answer.refused];
    assert.ok(lenient?.(parts[0]), `refused: ${answer.refused}`);
    return answer.refused;
  }
  assert.ok(stock !== undefined, "taken, but not by the stock parser");
  const [packet] = answer.packets;
  const attachments = packet.attachments.map(unhex);
  const query = words(packet.query);
  assert.equal(packet.type, stock.type);
  assert.equal(words(packet.nsp) + (stock.nsp.includes("?") ? "?" + query : ""), stock.nsp);
  assert.equal(packet.id ?? undefined, stock.id);
  const json = words(packet.data);
  assert.deepEqual(plain(json === "" ? undefined : assembled(JSON.parse(json), attachments)), plain(stock.data));
  // What is written again, the stock parser reads as the same.
  const again = stockSocket([words(answer.again), ...attachments]);
  assert.ok(again !== undefined, "written, but not read by the stock parser");
  assert.deepEqual(plain(again.data), plain(stock.data));
  if (valid && !parts[0].includes("\u007f")) assert.equal(words(answer.again), parts[0], "written otherwise");
  return "both take";
}

// --- The run.

const engine = [...engineCases()].filter(sendable);
const payload = [...payloadCases()].filter(sendable);
const socket = [...socketCases()].filter(({parts}) => sendable(parts[0]));
const lines = [
  ...engine.map((line) => `engine ${hex(line)}`),
  ...payload.map((body) => `payload ${hex(body)}`),
  ...socket.map(({parts}) => `socket ${parts.map(hex).join(" ")}`),
];
const answers = execFileSync(binary, {input: lines.join("\n") + "\n", maxBuffer: 1 << 30}).toString().trimEnd().split("\n").map((line) => JSON.parse(line));
assert.equal(answers.length, lines.length);

const outcomes = new Map();
let failures = 0;
lines.forEach((line, i) => {
  try {
    let outcome;
    if (i < engine.length) {
      outcome = compareEngine("engine", engine[i], answers[i], stockEngine(engine[i]));
    } else if (i < engine.length + payload.length) {
      const body = payload[i - engine.length];
      outcome = compareEngine("payload", body, answers[i], stockPayload(body));
    } else {
      const {parts, valid} = socket[i - engine.length - payload.length];
      outcome = compareSocket(parts, answers[i], valid);
    }
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  } catch (error) {
    if (++failures <= 10) console.error(`${line}\n  ${JSON.stringify(line.split(" ").slice(1, 2).map((digits) => words(digits)))}\n  ${error.message}`);
  }
});
// A comparison in which nothing is taken, or a reason never given, shows nothing.
const wanted = ["engine", "payload"].flatMap((name) => [`${name}: both take`, `${name}: both refuse`, `${name}: stricter`]);
for (const reason of [...wanted, "both take", "both refuse", ...Object.keys(stricter.socket)]) {
  if (!outcomes.has(reason)) {
    ++failures;
    console.error(`never seen: ${reason}`);
  }
}
console.log(`${lines.length} cases, ${failures} differences;`, Object.fromEntries(outcomes));
process.exitCode = failures === 0 ? 0 : 1;
