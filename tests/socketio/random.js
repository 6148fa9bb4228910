// Values that are the same on every run: a failure can be seen again by its seed.

/** Numbers from 0 up to `below`, by xorshift32. */
export function makeRandom(seed) {
  let state = seed >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % below;
  };
}

export const pick = (random, list) => list[random(list.length)];

const CHARACTERS = ["a", "Z", "0", "9", "-", "/", ",", "?", " ", "\"", "\\", "\n", "\t", "\u0001", "\u001e", "\u007f", "é", "€", "\u2028", "😀", "{", "["];

export function text(random, longest = 8) {
  return Array.from({length: random(longest + 1)}, () => pick(random, CHARACTERS)).join("");
}

const NUMBERS = [0, -0, 1, -1, 42, 1.5, -0.25, 1e21, 5e-324, 1.7976931348623157e308, 9007199254740991, -9007199254740991, 4294967296, 0.1];

/** A JSON value; with `attach`, some of its leaves are bytes. */
export function value(random, depth = 3, attach = undefined) {
  switch (random(depth > 0 ? 9 : 6)) {
    case 0: return null;
    case 1: return random(2) === 0;
    case 2: return pick(random, NUMBERS);
    case 3: return random(1000000);
    case 4: return text(random);
    case 5: return attach ? attach() : "";
    case 6:
    case 7: return Array.from({length: random(4)}, () => value(random, depth - 1, attach));
    default: {
      const object = {};
      for (let i = random(4); i > 0; --i) object[pick(random, ["a", "b", "num", "", "é", "_x", text(random, 3)])] = value(random, depth - 1, attach);
      return object;
    }
  }
}

/** The text with a few characters left out, put in or exchanged. */
export function mutated(random, original) {
  const characters = [...original];
  for (let edits = 1 + random(3); edits > 0; --edits) {
    const at = random(characters.length + 1);
    const fresh = pick(random, [..."0123456789-/,?[]{}\":.eE+ b_ntx", "\u001e", "\u0000", "é", "\\u0000", "\\ud800", "connect"]);
    switch (random(3)) {
      case 0: characters.splice(at, 1); break;
      case 1: characters.splice(at, 0, fresh); break;
      default: characters.splice(at, 1, fresh);
    }
  }
  return characters.join("");
}
