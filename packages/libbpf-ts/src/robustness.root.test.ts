import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { testObject } from "./testing/kernel.ts";
import { runNode } from "./testing/run-node.ts";

const nativeModule = JSON.stringify(new URL("./native.ts", import.meta.url).href);
const objectPath = (name: string) => JSON.stringify(testObject(name));
/** Long enough for the sanitizers on a busy machine. */
const PATIENT = { timeout: 300_000 };
/** A namespace of its own, so that nothing of it meets anything else, also when it dies. */
const alone = ["unshare", "--net", "--mount"] as const;

/** What the native functions want, by name: a letter for each argument, as in addon/args.c. Read from the sources. */
function signatures(): Record<string, string> {
  const directory = new URL("../addon/", import.meta.url);
  const sources = readdirSync(directory).map((file) => readFileSync(new URL(file, directory), "utf8"));
  const wanted = new Map<string, string>();
  for (const [, name = "", letters = ""] of sources
    .join("\n")
    .matchAll(
      /^(?:static )?(?:napi_value|bool) (\w+)\(napi_env env, napi_callback_info info[^{]*\{(?:(?!^\}).)*?get_args\(env, info, "([^"]*)"/gms,
    )) {
    wanted.set(name, letters);
  }
  const indirect = {
    clsact: wanted.get("read_filter"),
    link_create: wanted.get("read_job"),
    program_: wanted.get("attach_without_link"),
  };
  const table = sources.join("\n").matchAll(/\{ "(\w+)", (\w+) \}/g);
  return Object.fromEntries(
    [...table].map(([, name = "", c = ""]) => {
      const by = Object.entries(indirect).find(([prefix]) => c.startsWith(prefix));
      return [name, wanted.get(c) ?? by?.[1] ?? "?"];
    }),
  );
}

test("every native function takes any arguments: it returns, or throws an error with a code", PATIENT, () => {
  const { stdout, stderr, status, signal } = runNode(
    `const { native } = await import(${nativeModule});
     let state = 7;
     const random = (n) => (state = (state * 1103515245 + 12345) & 0x7fffffff, Math.floor((state / 0x80000000) * n));
     const detached = new Uint8Array(8);
     structuredClone(detached.buffer, { transfer: [detached.buffer] });
     const wanted = ${JSON.stringify(signatures())};
     const plain = [undefined, null, true, false, -1, 0, 1, 2, 4, 8, 46, 4096, 2 ** 32, 2 ** 53, 1.5, NaN, Infinity, 3n, Symbol("s"),
       "", "count", "a_hash", "maps.rodata", "a\\0b", "x".repeat(5000), "\\ud800", {}, [], [1], () => {}, class {}, new Date(), Object.create(null),
       new Uint8Array(), new Uint8Array(1), new Uint8Array(4), new Uint8Array(8), new Uint8Array(64), new Uint8Array(100_000), detached,
       new Uint8Array(new SharedArrayBuffer(8)), new Uint8Array(new ArrayBuffer(16), 3, 4), new Uint16Array(4), new Uint8ClampedArray(4),
       new Float64Array(1), new DataView(new ArrayBuffer(8)), new ArrayBuffer(8), Buffer.from("1234")];
     const netns = (await import("node:fs")).openSync("/proc/self/ns/net");
     const lookup = native.objectOpenFile(${objectPath("sk-lookup")});
     native.objectLoad(lookup, false);
     const handles = () => {
       const object = native.objectOpenFile(${objectPath("maps")});
       const loaded = native.objectOpenFile(${objectPath("maps")});
       native.objectLoad(loaded, false);
       const events = native.objectOpenFile(${objectPath("events")});
       native.objectLoad(events, false);
       const program = native.objectProgram(loaded, "count");
       const ring = native.ringOpen(native.objectMap(events, "events"), () => {});
       const closed = native.objectOpenFile(${objectPath("types")});
       native.objectClose(closed);
       const shut = native.objectMap(loaded, "an_array");
       native.close(shut);
       return [object, loaded, closed, shut, program, ring, native.objectMap(loaded, "a_hash"), native.objectMap(loaded, "a_percpu_array"),
         native.objectMap(loaded, "an_lpm_trie"), native.linkCreate(native.objectProgram(lookup, "pass"), netns, 0, 36, 0, -1, -1, new Uint8Array())];
     };
     const whole = (n) => Number.isInteger(n) && Math.abs(n) <= 4096;
     const fits = {
       i: whole, u: (n) => whole(n) && n >= 0, k: (n) => whole(n) && n >= 0 && n <= 5, "?": (v) => typeof v === "boolean",
       s: (v) => typeof v === "string", y: (v) => v instanceof Uint8Array, f: (v) => typeof v === "function",
     };
     const ofHandles = { o: [0, 1, 2], O: [0, 1, 2], m: [3, 6, 7, 8], p: [4], l: [9], h: [3, 4, 6, 7, 8, 9], H: [3, 4, 6, 7, 8, 9], r: [5] };
     const pick = (list) => list[random(list.length)];
     const anything = () => (random(3) === 0 ? pick(pool) : pick(plain));
     const fitting = (letter) => (ofHandles[letter] ? pool[pick(ofHandles[letter])] : pick(plain.filter(fits[letter])));
     const names = Object.keys(native).filter((name) => name !== "setErrorClass");
     let pool = [];
     const close = (handle) => { try { native.close(handle); } catch (error) { if (error.code !== "ERR_INVALID_ARG_TYPE") throw error; } };
     const codes = new Set();
     let calls = 0, returned = 0, rings = [];
     for (; calls < 100_000; calls++) {
       if (calls % 1000 === 0) {
         for (const ring of rings) native.ringClose(ring);
         for (const handle of pool.slice(3)) close(handle);
         rings = [];
         pool = handles();
         rings.push(pool[5]);
         await new Promise((resolve) => setImmediate(resolve));
         gc();
       }
       const name = names[random(names.length)];
       // Most of them of the right kind, so that what is behind the first wrong one is looked at too.
       const args = [...(wanted[name] ?? "")].map((letter) => (random(8) === 0 ? anything() : fitting(letter)));
       if (random(10) === 0) args.length = random(args.length + 1);
       if (random(10) === 0) args.push(anything(), anything());
       try {
         const result = native[name](...args);
         returned++;
         if (result instanceof Promise) await result.then(close, (error) => codes.add(error.code));
         else if (typeof result === "object" && !pool.includes(result)) close(result);
         if (name === "ringOpen") rings.push(result);
       } catch (error) {
         if (!(error instanceof Error) || typeof error.code !== "string") throw new Error(name + " threw " + String(error), { cause: error });
         codes.add(error.code);
       }
     }
     for (const ring of rings) native.ringClose(ring);
     for (const code of ["ERR_INVALID_ARG_TYPE", "ERR_OUT_OF_RANGE", "ERR_CLOSED", "EBADF", "EINVAL"]) if (!codes.has(code)) throw new Error("never " + code);
     console.log(calls, returned > 10_000);`,
    ...alone,
  );
  expect({ stdout, status, signal }, stderr).toEqual({ stdout: "100000 true", status: 0, signal: null });
});

test("10,000 times opened and closed: no descriptor is left, and no memory to speak of", PATIENT, () => {
  const { stdout, stderr, status } = runNode(
    `const { readdirSync, mkdtempSync, openSync } = await import("node:fs");
     const { execFileSync } = await import("node:child_process");
     const fds = () => readdirSync("/proc/self/fd").length;
     const bpffs = mkdtempSync("/tmp/libbpf-ts-");
     execFileSync("mount", ["-t", "bpf", "bpf", bpffs]);
     const object = bpf.BpfObject.open(${objectPath("sk-lookup")});
     object.load();
     const program = object.program("pass");
     program.pin(bpffs + "/program");
     object.map("sockets").pin(bpffs + "/map");
     const netns = openSync("/proc/self/ns/net");
     const ringMap = bpf.BpfMap.create({ type: "ringbuf", keySize: 0, valueSize: 0, maxEntries: 4096 });
     const cycle = async () => {
       using map = bpf.BpfMap.openPinned(bpffs + "/map");
       using again = bpf.BpfMap.byId(map.info.id);
       using opened = bpf.BpfProgram.openPinned(bpffs + "/program");
       using link = bpf.attachSkLookup({ program: opened, netns });
       using sameLink = bpf.BpfLink.byId(link.info().id);
       using created = bpf.BpfMap.create({ type: "array", keySize: 4, valueSize: 4, maxEntries: 1 });
       using ring = bpf.RingBuffer.open(ringMap, () => {});
       try { bpf.BpfMap.openPinned(bpffs + "/program"); } catch {}
       try { bpf.BpfLink.byId(0x7fffffff); } catch {}
       if (opened.info.id !== program.info.id || created.lookup(new Uint8Array(4)).length !== 4) throw new Error("wrong");
     };
     const settle = () => new Promise((resolve) => setTimeout(resolve, 20));
     // libuv closes a ring buffer's handle in its next turn (uv_close): without one they would all be open at the same time.
     const turn = () => new Promise((resolve) => setImmediate(resolve));
     const cycles = async (count) => { for (let n = 0; n < count; n++) { await cycle(); if (n % 20 === 0) await turn(); } };
     await cycles(500);
     await settle();
     const before = fds();
     gc();
     const memory = process.memoryUsage.rss();
     await cycles(10_000);
     await settle();
     gc();
     const grown = (process.memoryUsage.rss() - memory) / 2 ** 20;
     const left = fds() - before;
     execFileSync("umount", [bpffs]);
     execFileSync("rmdir", [bpffs]);
     console.log(left, bpf.querySkLookup({ netns }).length, grown < 50 ? "flat" : grown);
     object[Symbol.dispose]();`,
    ...alone,
  );
  expect({ stdout, status }, stderr).toEqual({ stdout: "0 0 flat", status: 0 });
});

test("an object opened and closed 10,000 times, and loaded 500 times", PATIENT, () => {
  const { stdout, stderr, status } = runNode(
    `const { readdirSync, readFileSync } = await import("node:fs");
     const fds = () => readdirSync("/proc/self/fd").length;
     const bytes = readFileSync(${objectPath("types")});
     const cycle = (load) => {
       using object = bpf.BpfObject.open(bytes);
       object.setVariables({ limit: 3 });
       object.typedMap;
       if (load) { object.load({ statistics: true }); object.typedMap("things").set({ x: 1, y: 1 }, { a_u8: 1 }); }
     };
     for (let n = 0; n < 200; n++) cycle(n % 20 === 0);
     gc();
     const before = fds();
     const memory = process.memoryUsage.rss();
     for (let n = 0; n < 10_000; n++) cycle(n % 20 === 0);
     gc();
     const grown = (process.memoryUsage.rss() - memory) / 2 ** 20;
     console.log(fds() - before, grown < 100 ? "flat" : grown);`,
    ...alone,
  );
  expect({ stdout, status }, stderr).toEqual({ stdout: "0 flat", status: 0 });
});

test("garbage collection at every turn takes nothing away that is in use", PATIENT, () => {
  const { stdout, stderr, status } = runNode(
    `const key = (n) => new Uint8Array(Uint32Array.of(n).buffer);
     const create = () => bpf.BpfMap.create({ type: "hash", keySize: 4, valueSize: 8, maxEntries: 4096 });
     let sum = 0;
     for (let n = 0; n < 200; n++) {
       const map = create();
       map.update(key(1), new Uint8Array(8).fill(n));
       gc();
       sum += map.lookup(key(1))[0];
     }
     const entries = (() => { const map = create(); for (let n = 0; n < 4000; n++) map.update(key(n), new Uint8Array(8)); return map.entries(); })();
     let seen = 0;
     for (const [each] of entries) { if (seen++ % 100 === 0) gc(); if (each.length !== 4) throw new Error("short"); }
     const pending = [];
     for (let n = 0; n < 20; n++) {
       const object = bpf.BpfObject.open(${objectPath("maps")});
       object.load();
       pending.push(bpf.attachTcxAsync({ program: object.program("count"), ifindex: 1, direction: "ingress" }).then((link) => link.info().id));
       gc();
     }
     const ids = await Promise.all(pending);
     console.log(sum, seen, new Set(ids).size);`,
    ...alone,
  );
  expect({ stdout, status }, stderr).toEqual({ stdout: "19900 4000 20", status: 0 });
});

test(
  "workers that are ended while calls of theirs wait, several at once: nothing is left and nothing crashes",
  PATIENT,
  () => {
    const worker = `
    import { parentPort, workerData } from "node:worker_threads";
    const bpf = await import(workerData.index);
    const object = bpf.BpfObject.open(workerData.maps);
    object.load();
    const events = bpf.BpfObject.open(workerData.events);
    events.load();
    bpf.RingBuffer.open(events.map("events"), () => new Promise(() => {}));
    try { bpf.BpfObject.open(workerData.bad).load(); } catch (error) { if (!error.log.includes("invalid access to packet")) throw error; }
    for (let n = 0; n < 4; n++) bpf.attachTcxAsync({ program: object.program("count"), ifindex: 1, direction: n % 2 ? "ingress" : "egress" }).catch(() => {});
    events.program("loud").testRun({ data: new Uint8Array(64), repeat: 5 });
    parentPort.postMessage("waits");`;
    const { stdout, stderr, status, signal } = runNode(
      `const { Worker } = await import("node:worker_threads");
     const { readdirSync } = await import("node:fs");
     const index = ${JSON.stringify(new URL("./index.ts", import.meta.url).href)};
     const workerData = { index, maps: ${objectPath("maps")}, events: ${objectPath("events")}, bad: ${objectPath("bad")} };
     const fds = () => readdirSync("/proc/self/fd").length;
     const round = () => Promise.all([1, 2, 3].map(async () => {
       const worker = new Worker(${JSON.stringify(worker)}, { eval: true, workerData });
       await new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
       await worker.terminate();
     }));
     await round();
     await new Promise((resolve) => setTimeout(resolve, 200));
     const before = fds();
     for (let n = 0; n < 5; n++) await round();
     for (let n = 0; n < 250 && fds() > before; n++) { gc(); await new Promise((resolve) => setTimeout(resolve, 20)); }
     const there = bpf.queryTcx({ ifindex: 1, direction: "ingress" }).programs.length;
     console.log(fds() <= before, there);`,
      ...alone,
    );
    expect({ stdout, status, signal }, stderr).toEqual({ stdout: "true 0", status: 0, signal: null });
  },
);
