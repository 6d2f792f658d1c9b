import { join } from "node:path";
import type { ObjectPlace } from "../load-object.ts";
import { ACCELERATION_OBJECT } from "../objects.ts";
import type { Pins } from "../pins.ts";

/** Directory of everything that the acceleration pins. */
export const accelerationPins = ({ root }: Pick<Pins, "root">): string => join(root, "acceleration");

/** Where its object is pinned. */
export function accelerationPlace(pins: Pick<Pins, "root">): ObjectPlace {
  const directory = accelerationPins(pins);
  return {
    elf: ACCELERATION_OBJECT,
    maps: join(directory, "maps"),
    programs: join(directory, "programs"),
    shared: new Map(),
    maxEntries: {},
    expendable: ["counters"],
  };
}

/** Pins of the links that attach its programs to the cgroup. */
export const linkPin = (pins: Pick<Pins, "root">, program: string): string =>
  join(accelerationPins(pins), "links", program);
