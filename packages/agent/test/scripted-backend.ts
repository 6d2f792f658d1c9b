import { scripted } from "./scripted.ts";

export default scripted("scripted");
