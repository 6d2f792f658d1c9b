import type { Stage } from "../stage.ts";

/** One thing broken on purpose, so that anyone can see the demo fail when it should. */
export interface Break {
  readonly name: string;
  readonly description: string;
  /** Broken directly before this scenario; without one, before the first. */
  readonly before?: string;
  apply(stage: Stage): Promise<void>;
}
