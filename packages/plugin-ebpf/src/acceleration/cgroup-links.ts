import { statSync } from "node:fs";
import { dirname } from "node:path";
import { attachCgroup, type CgroupAttachType } from "libbpf-ts";
import { openLink } from "../attach-tcx.ts";
import { attempt } from "../errors.ts";
import type { LoadedObject } from "../load-object.ts";
import { makeDirectory, type Pins, removePins } from "../pins.ts";
import { linkPin } from "./acceleration-place.ts";

const ATTACHED = [
  // Before it a socket could be known that has kTLS put on it.
  { program: "leg_option", attachType: "cgroup_setsockopt" },
  { program: "leg_opened", attachType: "cgroup_sock_ops" },
] as const satisfies readonly { program: string; attachType: CgroupAttachType }[];

/** Makes both programs run for the processes of a cgroup; links that are there are kept and their programs replaced in one step. */
export function ensureCgroupLinks(pins: Pick<Pins, "root">, object: LoadedObject, cgroup: string): void {
  for (const { program: name, attachType } of ATTACHED) {
    const pin = linkPin(pins, name);
    const program = object.program(name);
    attempt(`attaching ${name} to the cgroup ${cgroup}`, () => {
      using present = openLink(pin);
      if (present?.info().cgroupId === cgroupId(cgroup)) {
        if (present.info().programId !== program.info.id) present.update(program);
        return;
      }
      makeDirectory(dirname(pin));
      removePins(pin);
      using fresh = attachCgroup({ program, cgroup, attachType });
      fresh.pin(pin);
    });
  }
}

export function detachCgroupLinks(pins: Pick<Pins, "root">): void {
  for (const { program } of ATTACHED.toReversed()) {
    const pin = linkPin(pins, program);
    using present = openLink(pin);
    if (present && present.info().cgroupId !== 0n) present.detach();
    removePins(pin);
  }
}

/** What is wrong with them, in short phrases. */
export function cgroupLinkProblems(pins: Pick<Pins, "root">, object: LoadedObject, cgroup: string): string[] {
  return ATTACHED.flatMap(({ program }) => {
    using present = openLink(linkPin(pins, program));
    const info = present?.info();
    if (info?.cgroupId !== cgroupId(cgroup)) return [`${program} is not attached to ${cgroup}`];
    return info.programId === object.program(program).info.id ? [] : [`${program} is another version`];
  });
}

/** A cgroup's id is its directory's inode (kernel/cgroup: kernfs). */
const cgroupId = (cgroup: string): bigint => statSync(cgroup, { bigint: true }).ino;
