import { join } from "node:path";
import type { PluginLogger } from "@millrace/core";
import { z } from "zod";
import { CarriedMaps } from "./carried-maps.ts";
import type { EbpfConfig } from "./config.ts";
import { EbpfError, explainFailure } from "./errors.ts";
import { loadOrAdopt } from "./load-object.ts";
import { makeDirectory, Pins, pinTwice, readJson, removePins, writeNote } from "./pins.ts";
import { nodePlace, proxyPlace } from "./places.ts";

/**
 * `copying`: nothing is attached yet that uses these pins, and all of them can go. `attaching`: they hold all that the version `from` had, and
 * that version's programs are being exchanged for these.
 */
const noteSchema = z.strictObject({ from: z.int(), phase: z.enum(["copying", "attaching"]) });

const PARTS_OF_ITS_VERSION = ["maps", "programs"];

/** Pins of other layout versions, whose place this one takes. */
export interface TakeOver {
  /** When this version's programs are attached everywhere: what the others have seen to the last is carried over, and their pins go. */
  finish(): void;
}

/**
 * Brings over what other layout versions have pinned, older or newer ones, so that this version's pins hold everything that an
 * earlier run of this version would have left: to be adopted as that is. Up to the note that says `attaching` nothing that runs is
 * touched, and an error takes everything away again that was made; a crash leaves what the next run of any version takes away. From then on
 * this version's pins count. Links are pinned by both, so that neither's directory can take one along.
 *
 * Undefined when there is no other version. Throws `ERR_LAYOUT_MISMATCH` where what is there cannot be read, having changed nothing.
 */
export function takeOver(pins: Pins, bpffs: string, config: EbpfConfig, log: PluginLogger): TakeOver | undefined {
  const found = pins.versions().map((version) => new Pins(bpffs, config.pins, version));
  for (const unfinished of found.filter((other) => noteOf(other)?.phase === "copying")) {
    log.info({ pins: unfinished.root }, "clearing away a take-over that did not get far");
    removePins(unfinished.root);
  }
  const used = found.filter((other) => other.isUsed());
  const current = currentOf(used, pins.version);
  const former = used.filter((other) => other !== current);
  if (current === undefined || (current.version === pins.version && former.length === 0)) {
    removePins(pins.takeOverNote);
    return undefined;
  }
  if (current.version === pins.version) {
    log.info({ pins: pins.root, former: former.map(({ root }) => root) }, "going on with a take-over");
    return finishing(
      pins,
      former,
      former.flatMap((other) => carriedMaps(other, pins, config)),
      log,
    );
  }
  return begin(pins, current, former, config, log);
}

/** The version whose pins count: one whose place no other is taking. */
function currentOf(used: readonly Pins[], own: number): Pins | undefined {
  const left = new Set(used.map((other) => noteOf(other)?.from));
  const standing = used.filter(({ version }) => !left.has(version));
  return standing.find(({ version }) => version === own) ?? standing.at(-1);
}

function begin(pins: Pins, current: Pins, former: readonly Pins[], config: EbpfConfig, log: PluginLogger): TakeOver {
  const carried = carriedMaps(current, pins, config);
  const problems = carried.flatMap((maps) => maps.problems);
  if (problems.length > 0) throw unreadable(current, problems);
  // A take-over that was not finished, perhaps from this version: what was seen there goes to the one that counts.
  for (const other of former) {
    catchUp(carriedMaps(other, current, config));
    removePins(other.root);
  }
  removePins(current.takeOverNote);
  log.info({ from: current.root, to: pins.root }, "taking over from another layout version");
  try {
    copy(pins, current, carried, config, log);
  } catch (error) {
    removePins(pins.root);
    throw explainFailure(`carrying over ${current.root}`, error);
  }
  note(pins, current, "attaching");
  return finishing(pins, [current], carried, log);
}

function copy(pins: Pins, current: Pins, carried: readonly CarriedMaps[], config: EbpfConfig, log: PluginLogger): void {
  makeDirectory(pins.root);
  note(pins, current, "copying");
  for (const directory of [pins.maps, pins.programs]) makeDirectory(directory);
  pinTwice(join(current.root, "workloads"), join(pins.root, "workloads"));
  const slots = current.proxySlots();
  for (const slot of slots) {
    pinTwice(current.proxy(slot), pins.proxy(slot), PARTS_OF_ITS_VERSION);
    makeDirectory(join(pins.proxy(slot), "maps"));
  }
  for (const maps of carried) maps.share();
  using node = loadOrAdopt(nodePlace(pins, config), log);
  for (const slot of slots) loadOrAdopt(proxyPlace(pins.proxy(slot), node.maps), log)[Symbol.dispose]();
  for (const maps of carried) maps.copy();
}

function finishing(pins: Pins, former: readonly Pins[], carried: readonly CarriedMaps[], log: PluginLogger): TakeOver {
  return {
    finish() {
      catchUp(carried);
      for (const other of former) removePins(other.root);
      removePins(pins.takeOverNote);
      log.info({ pins: pins.root, former: former.map(({ root }) => root) }, "took over from another layout version");
    },
  };
}

/** The node's, and those of each proxy. */
function carriedMaps(from: Pins, to: Pins, config: EbpfConfig): CarriedMaps[] {
  const isNewer = from.version > to.version;
  const ofSlot = (slot: number) =>
    new CarriedMaps(proxyPlace(to.proxy(slot), new Map()), join(from.proxy(slot), "maps"), isNewer);
  return [new CarriedMaps(nodePlace(to, config), from.maps, isNewer), ...from.proxySlots().map(ofSlot)];
}

/** What programs of a version that is being left have seen since it was copied. */
function catchUp(carried: readonly CarriedMaps[]): void {
  for (const maps of carried) if (maps.problems.length === 0) maps.catchUp();
}

function note(pins: Pins, { version: from }: Pins, phase: z.output<typeof noteSchema>["phase"]): void {
  writeNote(pins.takeOverNote, JSON.stringify({ from, phase } satisfies z.output<typeof noteSchema>));
}

const noteOf = (pins: Pins) => readJson(pins.takeOverNote, noteSchema);

function unreadable({ root, version }: Pins, problems: readonly string[]): EbpfError {
  return new EbpfError(
    "ERR_LAYOUT_MISMATCH",
    `the maps of layout version ${version} in ${root} cannot be carried over: ${problems.join("; ")}. Nothing was changed, and what is ` +
      "attached goes on; start the version of the agent that ran last, or `millrace uninstall` by it first",
  );
}
