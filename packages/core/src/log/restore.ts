import { evolve } from "../state/evolve.ts";
import { initialState, type State } from "../state/state.ts";
import { EventLogReader } from "./reader.ts";

/**
 * The state that the log left off with: from the last snapshot on, or from the first row. It says what earlier runs asked for; what is there
 * now, watches and the kernel will tell. Throws what {@link EventLogReader} throws.
 */
export function restoreState(path: string): State {
  using reader = EventLogReader.open(path);
  let state = initialState;
  for (const event of reader.read({ since: reader.lastSnapshot() })) state = evolve(state, event);
  return state;
}
