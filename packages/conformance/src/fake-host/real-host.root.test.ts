import { hostAccess } from "@millrace/host";
import { onTestFinished } from "vitest";
import { runChecked } from "../programs/command.ts";
import { hostCases } from "../testing/host-cases.ts";

let made = 0;

// The same cases as for the fake: a unit test on the one says something of the other.
hostCases("the real host", async () => {
  const name = `mrhost${process.pid}x${made++}`;
  await runChecked("ip", ["netns", "add", name]);
  let isThere = true;
  const remove = async () => {
    if (isThere) await runChecked("ip", ["netns", "del", name]);
    isThere = false;
  };
  onTestFinished(remove);
  return { host: hostAccess, path: `/run/netns/${name}`, remove };
});
