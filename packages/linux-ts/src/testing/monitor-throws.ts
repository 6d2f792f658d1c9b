import { openNetns, RtnetlinkMonitor } from "../index.ts";

// A monitor whose callback throws; prints what becomes of it, and closes it.
using netns = openNetns(process.argv[2] ?? "");
const monitor = RtnetlinkMonitor.open({
  netns: netns.fd,
  groups: ["link"],
  onEvents() {
    throw new Error("thrown in onEvents");
  },
  onOverrun() {},
});
process.on("uncaughtException", ({ message }) => {
  console.log(`uncaught: ${message}`);
  monitor[Symbol.dispose]();
});
console.log("open");
