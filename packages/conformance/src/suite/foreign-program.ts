import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  attachClsact,
  attachTcx,
  BpfLink,
  BpfObject,
  type BpfProgram,
  type Direction,
  detachClsact,
  probeTcx,
} from "libbpf-ts";
import { deleteClsact, hasClsact, link, openNetns, tcFilters } from "linux-ts";
import { LabError } from "../errors.ts";
import type { Namespace } from "../lab/namespace.ts";

const OBJECT = fileURLToPath(new URL("../../build/foreign.bpf.o", import.meta.url));

/** `foreign_unspec` leaves the decision to the next program, `foreign_ok` ends the chain, `foreign_ok_ipv6` ends it for IPv6 only. */
export type ForeignName = "foreign_unspec" | "foreign_ok" | "foreign_ok_ipv6";

/** Where {@link ForeignProgram.attachClsact} puts it, as many tools do. Filters of one priority run newest first (net/sched/cls_bpf.c). */
const CLSACT_PLACE = { priority: 1, handle: 1 };

/** A program of somebody else. What it is attached to by tcx, or first, goes when it is disposed of. */
export class ForeignProgram implements Disposable {
  readonly #object: BpfObject;
  readonly #program: BpfProgram;
  readonly #stack = new DisposableStack();

  constructor(name: ForeignName) {
    if (!existsSync(OBJECT)) {
      throw new LabError("ERR_LAB_COMMAND", `${OBJECT} is not built: run make -C packages/conformance`);
    }
    this.#object = this.#stack.use(BpfObject.open(OBJECT));
    this.#object.load();
    this.#program = this.#object.program(name);
  }

  /** Puts it before all other tcx programs of the interface. */
  attachTcxFirst(namespace: Namespace, interfaceName: string, direction: Direction): void {
    using netns = openNetns(namespace.path);
    const ifindex = indexOf(netns.fd, interfaceName);
    const made: BpfLink = attachTcx({ program: this.#program, ifindex, direction, netns: netns.fd, position: "first" });
    this.#stack.use(made);
  }

  /** Puts it before all other programs of the interface, however they are attached: by tcx, or by clsact on kernels before 6.6. */
  attachFirst(namespace: Namespace, interfaceName: string, direction: Direction): void {
    if (probeTcx().available) this.attachTcxFirst(namespace, interfaceName, direction);
    else this.#attachFilterFirst(namespace, interfaceName, direction);
  }

  #attachFilterFirst(namespace: Namespace, interfaceName: string, direction: Direction): void {
    using netns = openNetns(namespace.path);
    const at = { ifindex: indexOf(netns.fd, interfaceName), netns: netns.fd };
    const hadQdisc = hasClsact(at);
    this.attachClsact(namespace, interfaceName, direction);
    this.#stack.defer(() => {
      if (hadQdisc) return this.detachClsact(namespace, interfaceName, direction);
      using netns = openNetns(namespace.path);
      deleteClsact({ ...at, netns: netns.fd });
    });
  }

  /** Puts it behind all other tcx programs of the interface; returns what takes it off again. */
  attachTcxLast(namespace: Namespace, interfaceName: string, direction: Direction): BpfLink {
    using netns = openNetns(namespace.path);
    const ifindex = indexOf(netns.fd, interfaceName);
    return this.#stack.use(
      attachTcx({ program: this.#program, ifindex, direction, netns: netns.fd, position: "last" }),
    );
  }

  /** As a legacy filter. */
  attachClsact(namespace: Namespace, interfaceName: string, direction: Direction): void {
    using netns = openNetns(namespace.path);
    const at = { ifindex: indexOf(netns.fd, interfaceName), direction, netns: netns.fd };
    attachClsact({ ...at, ...CLSACT_PLACE, program: this.#program });
  }

  /** Puts it in the place of the program that this pinned link attaches. */
  replaceTcx(pin: string): void {
    using attached = BpfLink.openPinned(pin);
    attached.update(this.#program);
  }

  /** Puts it in the place of the first BPF filter, with its priority and handle. */
  replaceClsact(namespace: Namespace, interfaceName: string, direction: Direction): void {
    using netns = openNetns(namespace.path);
    const hook = { ifindex: indexOf(netns.fd, interfaceName), direction, netns: netns.fd };
    const filter = tcFilters(hook).find(({ kind }) => kind === "bpf");
    if (filter === undefined)
      throw new LabError("ERR_LAB_UNKNOWN_NAME", `there is no filter on ${interfaceName} ${direction}`);
    const { priority, handle } = filter;
    attachClsact({ ...hook, program: this.#program, priority, handle, replace: true });
  }

  detachClsact(namespace: Namespace, interfaceName: string, direction: Direction): void {
    using netns = openNetns(namespace.path);
    detachClsact({ ifindex: indexOf(netns.fd, interfaceName), direction, netns: netns.fd, ...CLSACT_PLACE });
  }

  /** What tells it from other programs in the kernel. */
  get id(): number {
    return this.#program.info.id;
  }

  /** Packets it has seen. */
  get seen(): number {
    const value = this.#object.map("seen").lookup(new Uint8Array(4));
    return value === undefined ? 0 : Number(new DataView(value.buffer, value.byteOffset).getBigUint64(0, true));
  }

  [Symbol.dispose](): void {
    this.#stack.dispose();
  }
}

function indexOf(netns: number, name: string): number {
  const found = link(netns, name);
  if (found === undefined) throw new LabError("ERR_LAB_UNKNOWN_NAME", `there is no interface ${name}`);
  return found.index;
}
