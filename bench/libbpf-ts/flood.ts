/** Thread that runs the program of {@link measureRing} as fast as it goes, for so many seconds. */
import { parentPort, workerData } from "node:worker_threads";
import { BpfProgram } from "libbpf-ts";

const { programId, seconds } = workerData as { programId: number; seconds: number };
const packet = Buffer.alloc(64);
packet.writeUInt16BE(0x0800, 12);
packet[14] = 0x45;
packet.writeUInt32BE(0xc6120001, 26);

using program = BpfProgram.byId(programId);
const end = Date.now() + seconds * 1000;
let runs = 0;
for (; Date.now() < end; runs += 1000) program.testRun({ data: packet, repeat: 1000 });
parentPort?.postMessage(runs);
