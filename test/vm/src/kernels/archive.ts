import type { AptSource } from "./apt-sources.ts";

/** The Debian releases whose kernels are tested, oldest first: line of kernels → code name. */
export const KERNEL_LINES = { "5.10": "bullseye", "6.1": "bookworm", "6.12": "trixie" } as const;
export type KernelLine = keyof typeof KERNEL_LINES;

/** Names by which a machine's sources may name a Debian release. Other distributions use others. */
const DEBIAN = /^(buster|bullseye|bookworm|trixie|forky|duke|sid|(?:old)*stable|testing|unstable)(.*)$/;

/**
 * The sources to look for a line's kernel in: those this machine has for its own Debian release, with that release put in
 * the place of its own. Nothing but the suites differs, so mirrors, proxies in a URI and keys are the machine's.
 * Empty when the machine's sources name no Debian archive.
 */
export function sourcesFor(line: KernelLine, sources: readonly AptSource[]): AptSource[] {
  const wanted = KERNEL_LINES[line];
  const found = sources
    .filter(({ components }) => components.includes("main"))
    .flatMap((source) => {
      const kinds = source.suites.map(kindOf);
      const suites = [
        ...(kinds.includes("security") ? [`${wanted}-security`] : []),
        ...(kinds.includes("release") ? [wanted] : []),
      ];
      return suites.length === 0 ? [] : [{ ...source, suites, components: ["main"] }];
    });
  return found.filter((one, at) => found.findIndex((other) => JSON.stringify(other) === JSON.stringify(one)) === at);
}

function kindOf(suite: string): "release" | "security" | undefined {
  const rest = DEBIAN.exec(suite)?.[2];
  if (rest === "" || rest === "/") return "release";
  // `bookworm-security`; until Debian 10 `buster/updates`.
  return rest === "-security" || rest === "/updates" ? "security" : undefined;
}
