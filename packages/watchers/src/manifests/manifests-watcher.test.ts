import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rename, rm, symlink, truncate, unlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ReduceConfig } from "@millrace/core/internal";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Recorder, recordingLog } from "../testing/recorder.test.kit.ts";
import { manifestsWatcher } from "./manifests-watcher.ts";
import { MAX_MANIFEST_BYTES } from "./read-directory.ts";

const config: ReduceConfig = {
  proxy: { labels: { app: "ztunnel" } },
  membership: { namespaceLabel: { key: "istio.io/dataplane-mode", value: "ambient" } },
};

const pod = (uid: string, { phase = "Running", nodeName = "n1" } = {}) => `kind: Pod
metadata: { name: ${uid}, namespace: shop, uid: ${uid} }
spec: { nodeName: ${nodeName} }
status: { phase: ${phase} }
`;
const namespace = "kind: Namespace\nmetadata: { name: shop, labels: { istio.io/dataplane-mode: ambient } }\n";

let root: string;
let directory: string;
let recorder: Recorder;
let log: ReturnType<typeof recordingLog>;
let running: AsyncDisposable | undefined;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "mw-manifests-"));
  directory = join(root, "manifests");
  await mkdir(directory);
  recorder = new Recorder();
  log = recordingLog();
});

afterEach(async () => {
  await running?.[Symbol.asyncDispose]();
  running = undefined;
  await rm(root, { recursive: true, force: true });
});

/** The periodic look is an hour away unless a test wants it: what is seen is seen by inotify. */
async function start({ rescanMs = 3_600_000, settleMs = 30 } = {}): Promise<void> {
  const timing = { settleMs, missingMs: 30, rescanMs };
  running = await manifestsWatcher({ directory, config, nodeName: "n1", log: log.log, ...timing }).start(recorder.sink);
}

const write = (name: string, text: string) => writeFile(join(directory, name), text);
const story = () => recorder.events.map(({ type, subject }) => `${type} ${subject}`);
const until = (expected: string[]) => vi.waitFor(() => expect(story()).toEqual(expected), 10_000);
const problems = () => log.lines.filter(({ level }) => level === "error").map(({ fields }) => fields.problem);
/** Long enough that no pause of a busy machine between two steps of a test is taken for the end of the writing. */
const patient = { settleMs: 1_000 };
/** Longer than a change takes to be seen. */
const quiet = () => sleep(200);

const first = ["namespace.observed namespace/shop", "pod.observed pod/a", "watch.synced watch/manifests"];

test("tells everything, then that it is synced, then changes as they come", async () => {
  await write("a.yaml", `${namespace}---\n${pod("a")}`);
  await start();
  await until(first);

  await write("b.yml", pod("b"));
  await until([...first, "pod.observed pod/b"]);

  await write("b.yml", `# only a comment more\n${pod("b")}`);
  await quiet();
  await write("b.yml", pod("b", { phase: "Failed" }));
  await until([...first, "pod.observed pod/b", "pod.observed pod/b"]);

  await unlink(join(directory, "b.yml"));
  await until([...first, "pod.observed pod/b", "pod.observed pod/b", "pod.removed pod/b"]);
});

test("an empty directory is synced", async () => {
  await start();
  await until(["watch.synced watch/manifests"]);
});

test("leaves out other nodes, their pods, other kinds of file and hidden ones", async () => {
  await write(
    "a.yaml",
    `${namespace}---\n${pod("a")}---\n${pod("far", { nodeName: "n2" })}---\nkind: Node\nmetadata: { name: n2 }\n`,
  );
  await write("notes.txt", "not: [a manifest");
  await write(".hidden.yaml", "not: [a manifest");
  await mkdir(join(directory, "sub"));
  await start();
  await until(first);
  expect(problems()).toEqual([]);
});

test("an atomic rename over a file is one change", async () => {
  await write("a.yaml", `${namespace}---\n${pod("a")}`);
  await start();
  await until(first);
  await writeFile(join(root, "new"), `${namespace}---\n${pod("a", { phase: "Failed" })}---\n${pod("c")}`);
  await rename(join(root, "new"), join(directory, "a.yaml"));
  await until([...first, "pod.observed pod/a", "pod.observed pod/c"]);
});

test("an editor that moves the old file away first takes no object away", async () => {
  await write("a.yaml", `${namespace}---\n${pod("a")}`);
  await start(patient);
  await until(first);
  await rename(join(directory, "a.yaml"), join(directory, "a.yaml~"));
  await sleep(10);
  await write("a.yaml", `${namespace}---\n${pod("a")}---\n${pod("c")}`);
  await until([...first, "pod.observed pod/c"]);
});

test("follows a mounted ConfigMap through its `..data` link", async () => {
  for (const [version, text] of [
    ["..1", pod("a")],
    ["..2", pod("b")],
  ] as const) {
    await mkdir(join(directory, version));
    await writeFile(join(directory, version, "a.yaml"), `${namespace}---\n${text}`);
  }
  await symlink("..1", join(directory, "..data"));
  await symlink("..data/a.yaml", join(directory, "a.yaml"));
  await start();
  await until(first);
  await symlink("..2", join(directory, "..data_tmp"));
  await rename(join(directory, "..data_tmp"), join(directory, "..data"));
  await until([...first, "pod.removed pod/a", "pod.observed pod/b"]);
});

test("a file that cannot be parsed keeps what it said, is complained of once, and hinders no other", async () => {
  await write("a.yaml", `${namespace}---\n${pod("a")}`);
  await start({ rescanMs: 40 });
  await until(first);

  await write("a.yaml", `${namespace}---\n${pod("a")}status: {\n`);
  await write("b.yaml", pod("b"));
  await until([...first, "pod.observed pod/b"]);
  await vi.waitFor(() => expect(problems()).toHaveLength(1), 10_000);
  await quiet();
  expect(problems()).toEqual([expect.stringMatching(/^a\.yaml:8: /)]);

  await write("a.yaml", `${namespace}---\n${pod("a")}status: [\n`);
  await vi.waitFor(() => expect(problems()).toHaveLength(2), 10_000);

  await write("a.yaml", namespace);
  await until([...first, "pod.observed pod/b", "pod.removed pod/a"]);
});

test("a file that is truncated, as by a shell redirection before its command has run, keeps what it said", async () => {
  await write("a.yaml", `${namespace}---\n${pod("a")}`);
  await start();
  await until(first);
  await truncate(join(directory, "a.yaml"), 0);
  await vi.waitFor(
    () => expect(problems()).toEqual([expect.stringContaining("a.yaml:1: the file holds no object")]),
    10_000,
  );
  expect(story()).toEqual(first);
});

test("a file that is still being written is not read", async () => {
  const documents = [namespace, pod("a"), pod("b"), pod("c"), pod("d"), pod("e")];
  await write("a.yaml", documents.join("---\n"));
  await start(patient);
  const all = ["b", "c", "d", "e"].map((uid) => `pod.observed pod/${uid}`);
  await until([...first.slice(0, 2), ...all, ...first.slice(2)]);
  // Each prefix is a valid manifest of fewer objects.
  documents.push(pod("f"));
  for (let i = 1; i <= documents.length; i++) {
    await write("a.yaml", documents.slice(0, i).join("---\n"));
    await sleep(10);
  }
  await until([...first.slice(0, 2), ...all, ...first.slice(2), "pod.observed pod/f"]);
});

test("is not synced while a file was never readable, and says why", async () => {
  await write("a.yaml", `${namespace}---\n${pod("a")}`);
  await write("bad.yaml", "kind: Pod\nmetadata: {}\n");
  await start();
  await until([...first.slice(0, 2), "watch.lost watch/manifests"]);
  expect(recorder.of("watch.lost")[0]?.reason).toMatch(/bad\.yaml:2: /);
  await unlink(join(directory, "bad.yaml"));
  await until([...first.slice(0, 2), "watch.lost watch/manifests", "watch.synced watch/manifests"]);
});

test("a directory that goes while it is read is lost once", async () => {
  await write("a.yaml", `${namespace}---\n${pod("a")}`);
  await start({ settleMs: 400 });
  await until(first);
  await write("b.yaml", pod("b"));
  await sleep(100); // the look for it has begun, and waits for the file to settle
  await rm(directory, { recursive: true });
  await vi.waitFor(() => expect(recorder.of("watch.lost")).toHaveLength(1), 10_000);
  await quiet();
  expect(recorder.of("watch.lost")).toHaveLength(1);
});

test("waits for a directory that is not there, and keeps what was told when it goes", async () => {
  await rm(directory, { recursive: true });
  await start();
  await until(["watch.lost watch/manifests"]);
  await mkdir(directory);
  await write("a.yaml", `${namespace}---\n${pod("a")}`);
  await until(["watch.lost watch/manifests", ...first]);

  await rm(directory, { recursive: true });
  await vi.waitFor(() => expect(recorder.of("watch.lost")).toHaveLength(2), 10_000);
  expect(recorder.of("watch.lost")[1]?.reason).toContain("ENOENT");
  await quiet();
  expect(recorder.of("pod.removed")).toEqual([]);

  await mkdir(directory);
  await write("a.yaml", namespace);
  const before = ["watch.lost watch/manifests", ...first, "watch.lost watch/manifests"];
  await until([...before, "pod.removed pod/a", "watch.synced watch/manifests"]);
  // The new directory is watched too: the next periodic look is an hour away.
  await write("a.yaml", `${namespace}---\n${pod("a")}`);
  await until([...before, "pod.removed pod/a", "watch.synced watch/manifests", "pod.observed pod/a"]);
});

test("of an object in two files the first file's is used, and the other is warned of once", async () => {
  await write("b.yaml", pod("a", { phase: "Failed" }));
  await write("a.yaml", `${namespace}---\n${pod("a")}`);
  await start({ rescanMs: 40 });
  await until(first);
  await quiet();
  expect(recorder.of("pod.observed")[0]?.phase).toBe("Running");
  expect(log.lines.filter(({ level }) => level === "warn").map(({ fields }) => fields)).toEqual([
    { subject: "pod/a", kept: "a.yaml:4", ignored: "b.yaml:1" },
  ]);
  await unlink(join(directory, "a.yaml"));
  await until([...first, "namespace.removed namespace/shop", "pod.observed pod/a"]);
});

test("refuses files that are too large, no text, or no files at all", async () => {
  await write("a.yaml", `${namespace}---\n${pod("a")}`);
  await start({ rescanMs: 40 });
  await until(first);
  await write("large.yaml", `# ${"x".repeat(MAX_MANIFEST_BYTES)}\n${pod("b")}`);
  await writeFile(join(directory, "latin.yaml"), Buffer.from([0x23, 0xe9, 0x0a]));
  execFileSync("mkfifo", [join(directory, "pipe.yaml")]);
  await vi.waitFor(
    () =>
      expect(problems().sort()).toEqual([
        expect.stringContaining("large.yaml: the file is larger than 1048576 bytes"),
        expect.stringContaining("latin.yaml: "),
        expect.stringContaining("pipe.yaml: this is not a regular file"),
      ]),
    10_000,
  );
  await quiet();
  expect(problems()).toHaveLength(3);
  expect(story()).toEqual(first);
});

test("follows the path, not the directory that was there first", async () => {
  await start();
  await until(["watch.synced watch/manifests"]);
  const next = join(root, "next");
  await mkdir(next);
  await rename(directory, join(root, "old"));
  await rename(next, directory);
  await quiet();
  const before = story();
  await write("a.yaml", namespace);
  await until([...before, "namespace.observed namespace/shop"]);
});

test("sees without inotify, by looking again, even when size and time are the same", async () => {
  const time = new Date("2026-01-01");
  await mkdir(join(root, "elsewhere"));
  const target = join(root, "elsewhere/a.yaml");
  await writeFile(target, `${namespace}---\n${pod("a")}`);
  await utimes(target, time, time);
  // A change behind a link is none of the directory: inotify is silent.
  await symlink(target, join(directory, "a.yaml"));
  await start({ rescanMs: 50 });
  await until(first);
  await writeFile(target, `${namespace}---\n${pod("b")}`);
  await utimes(target, time, time);
  await until([...first, "pod.removed pod/a", "pod.observed pod/b"]);
});

test("tells nothing after it was stopped, not even what it was about to", async () => {
  await start();
  await until(["watch.synced watch/manifests"]);
  await write("a.yaml", namespace);
  // The look has begun, and waits for the file to settle.
  await sleep(10);
  await running?.[Symbol.asyncDispose]();
  const before = story();
  await write("b.yaml", pod("b"));
  await quiet();
  expect(story()).toEqual(before);
});
