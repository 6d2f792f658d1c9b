import { existsSync } from "node:fs";
import { join } from "node:path";
import { BpfMap } from "libbpf-ts";
import { attempt } from "../errors.ts";
import { type Pins, removePins } from "../pins.ts";
import { accelerationPins, accelerationPlace } from "./acceleration-place.ts";
import { detachCgroupLinks } from "./cgroup-links.ts";

/**
 * Takes the acceleration away, whoever made it. Connections that have it keep `leg_sends` and its maps until they close (struct sk_psock):
 * nothing is lost that lies in a queue. With no namespace left there, those that have not sent anything yet do without.
 */
export function removeAcceleration(pins: Pick<Pins, "root">): void {
  attempt("removing the acceleration", () => {
    const pin = join(accelerationPlace(pins).maps, "namespaces");
    if (existsSync(pin)) {
      using namespaces = BpfMap.openPinned(pin);
      for (const key of [...namespaces.keys()]) namespaces.delete(key);
    }
    detachCgroupLinks(pins);
    removePins(accelerationPins(pins));
  });
}
