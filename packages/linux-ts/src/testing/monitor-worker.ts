import { parentPort } from "node:worker_threads";
import { RtnetlinkMonitor } from "../index.ts";

// Opens a monitor that nobody closes, and tells when it is open: the worker or process is then ended, or ends by itself.
const monitor = RtnetlinkMonitor.open({ groups: ["link"], onEvents() {}, onOverrun() {} });
if (process.argv.includes("--unref")) monitor.unref();
if (parentPort === null) console.log("open");
else parentPort.postMessage("open");
