// protocol.js <base-url> [--only <substring>] [--times <ms>,<ms>] [--stock]: Engine.IO 4 and Socket.IO 5 by their bytes, against a
// server with echo handlers (README.md). `--times`: its ping interval and timeout. `--stock`: it is the one of Node, so what only Belfry does is left out.
import process from "node:process";
import {addEngineCases} from "./engine_cases.js";
import {Suite, parseArguments} from "./harness.js";
import {addHardCases} from "./hard_cases.js";
import {addSocketCases} from "./socket_cases.js";
import {Address} from "./wire.js";

const options = parseArguments();
const address = new Address(options.base);
const suite = new Suite();
addEngineCases(suite, address, options.times);
addSocketCases(suite, address);
addHardCases(suite, address);
process.exitCode = await suite.run(options);
