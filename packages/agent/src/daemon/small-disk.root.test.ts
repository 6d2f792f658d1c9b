import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readdirSync, rmdirSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EventLogReader } from "@millrace/core/internal";
import { afterEach, beforeEach, expect, test } from "vitest";
import { eventually } from "../testing/eventually.ts";
import { objects, PrivateNode } from "../testing/private-node.ts";

const MIB = 1 << 20;
const PLUGIN = join(import.meta.dirname, "..", "..", "test", "scripted-backend.ts");
/** Pods outside the mesh whose objects change all at once. */
const CROWD = 200;

// A real file system, made before the node is: its mounts are a copy of the machine's, and both see what is on it.
let disk: string;
beforeEach(() => {
  disk = mkdtempSync(join(tmpdir(), "millrace-small-disk-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=8m", "millrace-test", disk]);
});
afterEach(() => {
  execFileSync("umount", [disk]);
  rmdirSync(disk);
});

test("on a small disk the log keeps its newest part, and pods are enrolled all the while, also when others fill the disk", async () => {
  await using node = await PrivateNode.create();
  const { directory } = node;
  const path = join(disk, "events.db");
  const maxBytes = 4 * MIB;
  const scripted = { redirectMode: "scripted", plugins: [PLUGIN], backends: { scripted: { directory } } };
  node.configure({ ...scripted, eventLog: { path, maxBytes } });
  node.manifest("namespaces", objects.namespace("shop", { "istio.io/dataplane-mode": "ambient" }));
  await using agent = node.agent();
  await agent.logged(/agent is running/);

  const log = <T>(look: (reader: EventLogReader) => T): T => {
    using reader = EventLogReader.open(path);
    return look(reader);
  };
  const status = async () => JSON.parse((await node.millrace(["status", "--json"])).stdout);
  let [round, largest] = [0, 0];
  /** Every pod of the crowd is another one, in what the log keeps of it. */
  const change = async (rounds: number) => {
    for (const end = round + rounds; round < end; round++) {
      const before = log((reader) => reader.lastSeq());
      const crowd = Array.from({ length: CROWD }, (_, index) =>
        objects.pod("plain", `p${index}`, "198.18.79.1", { app: `${round}-${"x".repeat(55)}` }),
      );
      node.manifest("crowd", ...crowd);
      const seq = await eventually(
        async () => log((reader) => reader.lastSeq()),
        (seen) => seen >= before + CROWD,
        60_000,
      );
      expect(seq).toBeGreaterThanOrEqual(before + CROWD);
      const files = readdirSync(disk).filter((name) => name.startsWith("events.db"));
      const bytes = files.reduce(
        (sum, name) => sum + (statSync(join(disk, name), { throwIfNoEntry: false })?.size ?? 0),
        0,
      );
      largest = Math.max(largest, bytes);
    }
  };
  const enrol = async (name: string, address: string) => {
    await node.addPod(name, address);
    node.manifest(name, objects.pod("shop", name, address));
    const { stdout } = await eventually(
      () => node.millrace(["status"]),
      ({ stdout }) => new RegExp(`shop/${name} .*enrolled`).test(stdout),
      60_000,
    );
    expect(stdout).toMatch(new RegExp(`shop/${name} .*enrolled`));
  };

  await enrol("early", "198.18.77.11");
  await change(45);
  await enrol("later", "198.18.77.12");
  expect(largest).toBeGreaterThan(maxBytes / 2);
  expect(largest).toBeLessThanOrEqual(maxBytes);
  const first = log((reader) => [...reader.read({ limit: 1 })][0]);
  expect(first).toMatchObject({ type: "state.snapshot" });
  expect(first?.seq).toBeGreaterThan(CROWD);
  expect((await status()).eventLog).toMatchObject({ state: "healthy" });

  const ballast = openSync(join(disk, "ballast"), "w");
  expect(() => {
    for (;;) writeSync(ballast, Buffer.alloc(4096));
  }).toThrow("ENOSPC");
  closeSync(ballast);
  await change(15);
  await enrol("last", "198.18.77.13");
  const end = await eventually(status, ({ eventLog }) => eventLog.state === "healthy", 60_000);
  expect(end.eventLog).toMatchObject({ state: "healthy", lostEvents: 0 });
  expect(log((reader) => [...reader.read({ limit: 1 })][0]?.seq)).toBeGreaterThan(first?.seq ?? 0);
  await agent.stop("SIGTERM");
}, 600_000);
