import { existsSync } from "node:fs";
import type { PluginLogger, Workload } from "@millrace/core";
import { errorCode, errorMessage } from "@millrace/core/internal";
import { requireNetns } from "@millrace/host";
import { attachSocketMap, netnsCookie } from "libbpf-ts";
import type { EbpfConfig } from "../config.ts";
import { attempt } from "../errors.ts";
import { type LoadedObject, loadOrAdopt } from "../load-object.ts";
import type { Pins } from "../pins.ts";
import type { ProxySlots } from "../proxy-slots.ts";
import { netnsOf } from "../slot-identity.ts";
import { AccelerationMaps } from "./acceleration-maps.ts";
import { accelerationPins, accelerationPlace } from "./acceleration-place.ts";
import { cgroupLinkProblems, ensureCgroupLinks } from "./cgroup-links.ts";
import { requireKernel } from "./kernel-release.ts";
import { SIDE } from "./layout.ts";
import { podCgroup } from "./pod-cgroup.ts";
import { removeAcceleration } from "./remove-acceleration.ts";

/** Which members have the interfaces that the redirection knows, and their addresses. */
interface Members {
  readonly workloads: { get(ifindex: number): unknown };
  readonly members: { keysWhere(passes: (member: { readonly ifindex: number }) => boolean): string[] };
}

/**
 * The acceleration of the node: what accelerated members and proxies send each other goes from socket to socket (bpf/include/acceleration.h).
 * It never decides where a connection goes, only how its bytes do: without it, or where any part of it is missing, they go by TCP.
 */
export class Acceleration implements Disposable {
  readonly #pins: Pins;
  readonly #object: LoadedObject;
  readonly #maps: AccelerationMaps;
  readonly #members: Members;
  readonly #cgroup: string;

  private constructor(pins: Pins, object: LoadedObject, members: Members, cgroup: string) {
    this.#pins = pins;
    this.#object = object;
    this.#maps = new AccelerationMaps(object.map);
    this.#members = members;
    this.#cgroup = cgroup;
  }

  /**
   * Loads it, or adopts what an earlier run left. Undefined where it is off, which clears away what is left of it; and where this node
   * cannot have it, which the log tells: it is about speed alone, and nothing fails for want of it.
   */
  static open(pins: Pins, config: EbpfConfig, members: Members, log: PluginLogger): Acceleration | undefined {
    if (config.acceleration === "off") {
      if (existsSync(accelerationPins(pins))) removeAcceleration(pins);
      return undefined;
    }
    try {
      requireKernel();
      const cgroup = podCgroup(config.accelerationCgroup);
      const acceleration = new Acceleration(pins, loadOrAdopt(accelerationPlace(pins), log), members, cgroup);
      try {
        acceleration.ensure();
      } catch (error) {
        acceleration[Symbol.dispose]();
        throw error;
      }
      log.info({ cgroup }, "acceleration is ready");
      return acceleration;
    } catch (error) {
      removeAcceleration(pins);
      log.warn({ code: errorCode(error), error: errorMessage(error) }, "no acceleration: all goes by TCP");
      return undefined;
    }
  }

  /** Makes everything be attached; what already is stays. */
  ensure(): void {
    const { program, map } = this.#object;
    this.#object.repin();
    // Sockets that were known before keep the program that they had.
    attempt("attaching leg_sends to the sockets", () =>
      attachSocketMap({ program: program("leg_sends"), map: map("legs"), attachType: "sk_msg_verdict" }),
    );
    ensureCgroupLinks(this.#pins, this.#object, this.#cgroup);
  }

  /** New connections of the workload are accelerated from now on, or not any more. Throws `ERR_INTERFACE_GONE`, `ERR_MAP_FULL`. */
  apply({ interface: pod, acceleration }: Workload): void {
    using netns = requireNetns(pod);
    const cookie = netnsCookie(netns.fd);
    if (!acceleration && this.#maps.namespaces.get(cookie) === undefined) return;
    const addresses = acceleration ? this.#addressesOf(pod.hostIndex) : [];
    // The address last: by it the proxy's end is known, which is sent to from then on.
    if (acceleration) this.#maps.namespaces.ensure(cookie, { side: SIDE.member, ifindex: pod.hostIndex });
    for (const address of this.#maps.accelerated.keysWhere((holder) => holder === cookie)) {
      if (!addresses.includes(address)) this.#maps.accelerated.delete(address);
    }
    for (const address of addresses) this.#maps.accelerated.ensure(address, cookie);
    if (!acceleration) this.#maps.namespaces.delete(cookie);
  }

  /** Forgets members that are not redirected any more: their connections from now on. Those that are accelerated end as that. */
  sweep(): void {
    for (const [cookie, { side, ifindex }] of [...this.#maps.namespaces.entries()]) {
      if (side === SIDE.member && this.#members.workloads.get(ifindex) === undefined)
        this.#maps.namespaces.delete(cookie);
    }
    for (const [address, cookie] of [...this.#maps.accelerated.entries()]) {
      if (this.#maps.namespaces.get(cookie) === undefined) this.#maps.accelerated.delete(address);
    }
  }

  /** Knows the sockets of these proxies, active and draining, and of no other. */
  useProxies(slots: Pick<ProxySlots, "all">): void {
    const wanted = new Map<bigint, number>();
    for (const { identity } of slots.all()) {
      using netns = identity && netnsOf(identity);
      if (identity && netns) wanted.set(netnsCookie(netns.fd), identity.hostIndex);
    }
    for (const [cookie, { side }] of [...this.#maps.namespaces.entries()]) {
      if (side === SIDE.proxy && !wanted.has(cookie)) this.#maps.namespaces.delete(cookie);
    }
    for (const [cookie, ifindex] of wanted) this.#maps.namespaces.ensure(cookie, { side: SIDE.proxy, ifindex });
  }

  /** What is wrong with the parts that all share, in short phrases. */
  problems(slots: Pick<ProxySlots, "all">): string[] {
    const known = [...this.#maps.namespaces.entries()].filter(([, { side }]) => side === SIDE.proxy);
    const unknown = slots
      .all()
      .filter(({ identity }) => identity && !known.some(([, { ifindex }]) => ifindex === identity.hostIndex));
    return [
      ...cgroupLinkProblems(this.#pins, this.#object, this.#cgroup),
      ...this.#object.missingPins().map((path) => `pin ${path} is missing`),
      ...unknown.map(({ identity }) => `proxy ${identity?.name} is not accelerated`),
    ];
  }

  /** The same of a workload that is to be as this. */
  problemsOf({ interface: { hostIndex }, acceleration, addresses }: Workload): string[] {
    const held = addresses.filter((address) => {
      const cookie = this.#maps.accelerated.get(address);
      return cookie !== undefined && this.#maps.namespaces.get(cookie)?.ifindex === hostIndex;
    });
    if (!acceleration) return held.length === 0 ? [] : ["is accelerated"];
    return this.#addressesOf(hostIndex).every((address) => held.includes(address)) ? [] : ["is not accelerated"];
  }

  counters(): Record<string, number> {
    return this.#maps.counters();
  }

  /** Takes all of it away. Connections that it has keep it until they end. */
  remove(): void {
    this[Symbol.dispose]();
    removeAcceleration(this.#pins);
  }

  [Symbol.dispose](): void {
    this.#object[Symbol.dispose]();
  }

  /** As the redirection has them: an address that another workload holds is not among them. */
  #addressesOf(hostIndex: number): string[] {
    return this.#members.members.keysWhere(({ ifindex }) => ifindex === hostIndex);
  }
}
