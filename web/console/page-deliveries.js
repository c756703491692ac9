/* The callbacks of all apps. */

import { Deliveries } from "./deliveries.js";
import { heading, replace } from "./ui.js";

export async function show(page) {
	replace(page.root, heading("Deliveries"), new Deliveries(page, 0).elements());
}
