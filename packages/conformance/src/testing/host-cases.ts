import type { HostAccess } from "@millrace/host";
import { describe, expect, it } from "vitest";

/** A host to try, with a namespace of its own at `path`; `/proc/nothing/there` is no path of it. */
export interface HostUnderTest {
  readonly host: HostAccess;
  readonly path: string;
  /** Takes the namespace away. */
  remove(): Promise<void>;
}

const FORWARD = "net/ipv4/ip_forward";
const coded = (code: string) => expect.objectContaining({ code });

/** What every host shows, the real one and the fake: `cat`, `sh -c "exit 3"` and nothing else has to be installed. */
export function hostCases(name: string, make: () => Promise<HostUnderTest>): void {
  describe(name, () => {
    it("has a namespace of its own and others, each told by its inode", async () => {
      const { host, path } = await make();
      using own = host.netns();
      using other = host.netns(path);
      using again = host.netns(path);
      expect(other.inode).toBe(again.inode);
      expect(other.inode).not.toBe(own.inode);
    });

    it("says where there is no namespace", async () => {
      const { host } = await make();
      expect(() => host.netns("/proc/nothing/there")).toThrow(coded("ENOENT"));
    });

    it("keeps a namespace that is open when its path goes", async () => {
      const { host, path, remove } = await make();
      using open = host.netns(path);
      await remove();
      expect(() => host.netns(path)).toThrow();
      open.writeSysctl(FORWARD, 1);
      expect(open.readSysctl(FORWARD)).toBe("1");
    });

    it("writes a sysctl of one namespace and of no other", async () => {
      const { host, path } = await make();
      using own = host.netns();
      using other = host.netns(path);
      const before = own.readSysctl(FORWARD);
      other.writeSysctl(FORWARD, 1);
      expect(other.readSysctl(FORWARD)).toBe("1");
      expect(own.readSysctl(FORWARD)).toBe(before);
      other.writeSysctl(FORWARD, "0");
      expect(other.readSysctl(FORWARD)).toBe("0");
    });

    it("refuses sysctls that are not there, and values that are none", async () => {
      const { host, path } = await make();
      using netns = host.netns(path);
      expect(() => netns.readSysctl("net/ipv4/no_such_thing")).toThrow(coded("ENOENT"));
      expect(() => netns.writeSysctl("net/ipv4/no_such_thing", 1)).toThrow(coded("ENOENT"));
      expect(() => netns.writeSysctl(FORWARD, "yes")).toThrow(coded("EINVAL"));
      expect(netns.readSysctl(FORWARD)).toBe("0");
    });

    it("runs a program with its input, and tells its status", async () => {
      const { host, path } = await make();
      using netns = host.netns(path);
      expect(await netns.run("cat", [], { input: "a\nb\n" })).toEqual({ status: 0, stdout: "a\nb\n", stderr: "" });
      expect(await netns.run("sh", ["-c", "exit 3"])).toMatchObject({ status: 3 });
    });

    it("says which program is not installed", async () => {
      const { host, path } = await make();
      using netns = host.netns(path);
      await expect(netns.run("no-such-program", [])).rejects.toThrow(coded("ENOENT"));
      await expect(netns.run("no-such-program", [])).rejects.toThrow("no-such-program is not installed");
    });

    it("runs nothing any more once it is aborted", async () => {
      const { host, path } = await make();
      using netns = host.netns(path);
      await expect(netns.run("cat", [], { signal: AbortSignal.abort() })).rejects.toThrow();
    });
  });
}
