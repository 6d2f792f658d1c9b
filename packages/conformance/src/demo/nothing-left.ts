import { existsSync, readdirSync, readFileSync } from "node:fs";
import { NETNS_DIRECTORY } from "../lab/namespace.ts";
import { labDirectory } from "../lab/owner.ts";
import { expectSame, type Scenario } from "./scenario.ts";

/** The machine after the lab is gone: no namespace, mount, directory or process of it. */
export function nothingLeft(prefix: string): Scenario {
  return {
    name: "nothing-left",
    title: "the lab leaves no namespace, mount, directory or process on this machine",
    show: async () => {
      const namespaces = existsSync(NETNS_DIRECTORY) ? readdirSync(NETNS_DIRECTORY) : [];
      expectSame(
        "network namespaces",
        namespaces.filter((name) => name.startsWith(prefix)),
        [],
      );
      expectSame(
        "mounts",
        lines("/proc/self/mounts").filter((line) => line.includes(prefix)),
        [],
      );
      expectSame("the lab's directory", existsSync(labDirectory(prefix)), false);
      expectSame(
        "processes",
        processes().filter((command) => command.includes(prefix)),
        [],
      );
      return ["0 namespaces, 0 mounts, 0 files, 0 processes"];
    },
  };
}

const lines = (file: string): string[] => readFileSync(file, "utf8").split("\n");

/** Command lines of all processes. One that ends while we look is not there any more. */
function processes(): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")];
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === "ENOENT" || code === "ESRCH") return [];
        throw error;
      }
    });
}
