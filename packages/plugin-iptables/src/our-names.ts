import type { WantedNames } from "./clash/wanted.ts";
import { isOurChain, NFT_TABLE } from "./layout.ts";
import { SET_TYPES } from "./member-sets.ts";

/** Names that no setting changes: what goes by them is ours, whatever the numbers say. */
export const OUR_NAMES: WantedNames = { sets: SET_TYPES, isOurChain, isOurTable: (name) => name === NFT_TABLE };
