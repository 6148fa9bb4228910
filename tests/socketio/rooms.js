// The stock client, led by a test: a line of JSON on standard input is something to do, a line on standard output something that
// happened. The client reconnects by itself; `at` says where it finds the server the next time, as a load balancer would.
//
//   {"do":"open","url":…,"token":…,"transports":[…]}   {"do":"at","url":…}   {"do":"emit","event":…,"data":…}   {"do":"close"}
import readline from "node:readline";
import {io} from "socket.io-client";

let socket;
const tell = (what) => console.log(JSON.stringify(what));

const actions = {
  open({url, token, transports}) {
    socket = io(url, {auth: {token}, transports, reconnectionDelay: 100, reconnectionDelayMax: 200, forceNew: true});
    socket.on("connect", () => tell({connected: socket.id, recovered: socket.recovered}));
    socket.on("disconnect", (reason) => tell({gone: reason}));
    socket.on("connect_error", (error) => error.data && tell({refused: error.data}));
    socket.onAny((event, ...args) => tell({event, args}));
  },
  at({url}) {
    socket.io.uri = url;
    tell({at: url});
  },
  async emit({event, data}) {
    tell({reply: await socket.timeout(10000).emitWithAck(event, data)});
  },
  transport() {
    tell({transport: socket.io.engine.transport.name});
  },
  close() {
    socket.disconnect();
    process.exit(0);
  },
};

readline.createInterface({input: process.stdin}).on("line", (line) => {
  const command = JSON.parse(line);
  Promise.resolve(actions[command.do](command)).catch((error) => tell({failed: String(error)}));
});
process.stdin.on("end", () => process.exit(0));
