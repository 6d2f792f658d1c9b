import { execFileSync } from "node:child_process";
import { chownSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { InstallState } from "./state.ts";
import { LIST, SINGLE, TestNode } from "./testing/node.test.kit.ts";

const PROGRAM = join(import.meta.dirname, "testing", "install-program.ts");
const CHART = join(import.meta.dirname, "../../../deploy/chart/millrace/templates/agent/_capabilities.tpl");

/** What the chart lets the agent do, as setpriv(1) writes it: all else is dropped. */
const bounding = [
  "-all",
  ...[...readFileSync(CHART, "utf8").matchAll(/^- ([A-Z_]+) #/gm)].map(([, name]) => `+${name}`),
]
  .join()
  .toLowerCase();

function run(node: TestNode, verb: "install" | "uninstall"): unknown {
  const options = JSON.stringify(node.options);
  const command = [process.execPath, "--conditions=source", PROGRAM, verb, options];
  const output = execFileSync("setpriv", ["--bounding-set", bounding, "--inh-caps=-all", ...command], {
    encoding: "utf8",
  });
  return JSON.parse(output);
}

test.each([
  ["a list", "10-net.conflist", LIST, "10-net.conflist"],
  ["a single plugin's file", "10-net.conf", SINGLE, "10-net.conflist"],
])(
  "root with the chart's capabilities and no others: %s of another user keeps owner and mode",
  (_, name, text, list) => {
    using node = new TestNode();
    node.write(name, text, 0o640);
    chownSync(node.conf(name), 1000, 1001);
    chownSync(node.options.cniConfDir, 1000, 1001);
    const before = node.snapshot();
    expect(run(node, "install") as InstallState).toMatchObject({ state: "installed" });
    const { mode, uid, gid } = statSync(node.conf(list));
    expect({ mode: mode & 0o7777, uid, gid }).toEqual({ mode: 0o640, uid: 1000, gid: 1001 });
    expect(run(node, "uninstall")).toMatchObject({ left: [] });
    expect(node.snapshot()).toEqual(before);
  },
);
