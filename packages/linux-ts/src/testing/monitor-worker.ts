import { parentPort } from "node:worker_threads";
import { RtnetlinkMonitor } from "../index.ts";

// Opens a monitor that nobody closes, and tells when it is open: the worker is then terminated, or ends by itself.
const monitor = RtnetlinkMonitor.open({ groups: ["link"], onEvents() {}, onOverrun() {} });
if (process.argv.includes("--unref")) monitor.unref();
parentPort?.postMessage("open");
