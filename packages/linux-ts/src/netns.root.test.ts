import { execFileSync } from "node:child_process";
import { closeSync, fstatSync, mkdtempSync, openSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { addresses, currentNetns, link, links, netnsId, openNetns } from "./index.ts";
import { ScratchNetns } from "./testing/scratch-netns.ts";

describe("openNetns", () => {
  let folder: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "linux-ts-"));
  });

  afterAll(() => rmSync(folder, { recursive: true }));

  it("gives the namespace's identity and a descriptor that is closed once", () => {
    using scratch = new ScratchNetns();
    const netns = openNetns(scratch.path);
    expect(netns).toMatchObject({ path: scratch.path, inode: statSync(scratch.path).ino });
    expect(netns.inode).not.toBe(currentNetns().inode);
    netns[Symbol.dispose]();
    expect(() => fstatSync(netns.fd)).toThrow("EBADF");
    const other = openNetns(scratch.path);
    netns[Symbol.dispose]();
    expect(fstatSync(other.fd).ino).toBe(scratch.netns.inode);
    other[Symbol.dispose]();
  });

  it("keeps a namespace alive whose name is gone", () => {
    using kept = (() => {
      using scratch = new ScratchNetns();
      scratch.ip("link add e0 type veth peer name e1");
      return openNetns(scratch.path);
    })();
    expect(link(kept.fd, "e0")).toBeDefined();
    expect(() => openNetns(kept.path)).toThrow(expect.objectContaining({ code: "ENOENT", errno: -2 }));
  });

  it("refuses the file that stays when a namespace's mount is gone", () => {
    const file = join(folder, "vanished");
    writeFileSync(file, "");
    const message = `${file} is no namespace (is the mount over it gone?): a network namespace was expected`;
    expect(() => openNetns(file)).toThrow(expect.objectContaining({ code: "ERR_NOT_A_NETNS", message }));
  });

  it("refuses namespaces of other types, folders and FIFOs, without waiting", () => {
    const fifo = join(folder, "fifo");
    execFileSync("mkfifo", [fifo]);
    for (const path of ["/proc/self/ns/mnt", "/proc/self/ns/user", folder, fifo, "/dev/null"]) {
      expect(() => openNetns(path), path).toThrow(expect.objectContaining({ code: "ERR_NOT_A_NETNS" }));
    }
  });
});

describe("a descriptor that is no network namespace", () => {
  it("is refused by setns(2), and named in the error", () => {
    const doing = "listing links in the network namespace of descriptor 98765, which is not open";
    const expected = { code: "EBADF", syscall: "setns", message: `${doing}: setns failed with EBADF` };
    expect(() => links(98_765)).toThrow(expect.objectContaining(expected));
    const fd = openSync("/proc/self/ns/mnt", "r");
    expect(() => addresses(fd)).toThrow(expect.objectContaining({ code: "EINVAL", syscall: "setns" }));
    closeSync(fd);
  });
});

describe("netnsId", () => {
  it("is what veths show, and what ip(8) lists", () => {
    using near = new ScratchNetns();
    using far = new ScratchNetns();
    expect(netnsId(far.fd, { from: near.fd })).toBeUndefined();

    near.ip(`link add e0 type veth peer name e0 netns ${far.name}`);
    const id = link(near.fd, "e0")?.peerNetnsId;
    expect(id).toBeDefined();
    expect(netnsId(far.fd, { from: near.fd })).toBe(id);
    expect(near.ipJson<object[]>("netns list-id")).toContainEqual(
      expect.objectContaining({ nsid: id, name: far.name }),
    );
  });

  it("is assigned once, in one direction", () => {
    using near = new ScratchNetns();
    using far = new ScratchNetns();
    const id = netnsId(far.fd, { from: near.fd, assign: true });
    expect(id).toBeTypeOf("number");
    expect(netnsId(far.fd, { from: near.fd, assign: true })).toBe(id);
    expect(netnsId(far.fd, { from: near.fd })).toBe(id);
    expect(netnsId(near.fd, { from: far.fd })).toBeUndefined();
  });

  it("tells several namespaces apart", () => {
    using near = new ScratchNetns();
    using first = new ScratchNetns();
    using second = new ScratchNetns();
    const ids = [first, second, near].map(({ fd }) => netnsId(fd, { from: near.fd, assign: true }));
    expect(new Set(ids).size).toBe(3);
  });

  it("refuses a descriptor that is no namespace", () => {
    using near = new ScratchNetns();
    expect(() => netnsId(0, { from: near.fd })).toThrow(expect.objectContaining({ code: "EINVAL" }));
  });
});
