import { type Candidate, isValid } from "./files/config-directory.ts";
import { firstPrimary, OWN_NAME } from "./primary.ts";

/** What somebody should know who wonders why pods do not start, or start without us. */
export interface Warning {
  readonly code: "INVALID_CONFIG_FIRST" | "CILIUM_EXCLUSIVE" | "NOT_FIRST";
  readonly message: string;
}

export const CILIUM_SUFFIX = ".cilium_bak";

/** From what a runtime looks at, and every name in the directory. */
export function warningsAbout(
  candidates: readonly Candidate[],
  names: readonly string[],
  ownConfig: boolean,
): Warning[] {
  return [...invalidFirst(candidates), ...cilium(candidates, names), ...(ownConfig ? notFirst(candidates) : [])];
}

function invalidFirst(candidates: readonly Candidate[]): Warning[] {
  const primary = firstPrimary(candidates);
  const before = primary === undefined ? candidates : candidates.slice(0, candidates.indexOf(primary));
  return before.flatMap(({ name, found }) =>
    isValid(found)
      ? []
      : [
          {
            code: "INVALID_CONFIG_FIRST",
            // containerd/go-cni opts.go, loadFromConfDir() fails on the first invalid file; CRI-O and cri-dockerd pass it over.
            message: `${name} comes first and is no network configuration (${found.invalid}): containerd starts no pod until it is mended or gone`,
          },
        ],
  );
}

/** Files that Cilium renamed long ago stay where they are: they say something only where Cilium is the primary, or has renamed ours. */
function cilium(candidates: readonly Candidate[], names: readonly string[]): Warning[] {
  const renamed = names.filter((name) => name.endsWith(CILIUM_SUFFIX)).sort();
  const isPrimary = firstPrimary(candidates)?.found.types.includes("cilium-cni") === true;
  if (renamed.length === 0 || !(isPrimary || renamed.includes(OWN_NAME + CILIUM_SUFFIX))) return [];
  const message =
    `Cilium has put ${renamed.join(", ")} out of the way: as long as it owns the directory (cni.exclusive), what others write there ` +
    "does not last. Set cni.exclusive=false in Cilium's Helm values, and remove the renamed files";
  return [{ code: "CILIUM_EXCLUSIVE", message }];
}

function notFirst(candidates: readonly Candidate[]): Warning[] {
  return candidates
    .filter(({ name }) => name < OWN_NAME)
    .map(({ name }) => ({
      code: "NOT_FIRST",
      message: `${name} comes before ${OWN_NAME}: the runtime uses it instead`,
    }));
}
