/* The callbacks of one app; pausing them, and sending many again. */

import { call } from "./api.js";
import { Deliveries, openReplayMany } from "./deliveries.js";
import { button, notice, noticeError, replace } from "./ui.js";

export async function show(tab) {
	const list = new Deliveries(tab, tab.sdkappid);
	const pause = button("Pause", async () => {
		const paused = tab.app.Endpoint.State === "paused";
		try {
			await call(paused ? "callback_resume" : "callback_pause", { SdkAppid: tab.sdkappid });
			notice(paused ? "Callbacks are sent again." : "Callbacks are kept and not sent until you resume.");
			await tab.reload();
		} catch (error) {
			noticeError(error);
		}
	});
	/* To resume what is not paused means: whatever is known of the endpoint, send now. */
	const tryNow = button("Try now", async () => {
		try {
			await call("callback_resume", { SdkAppid: tab.sdkappid });
			notice("What waits is tried now.");
		} catch (error) {
			noticeError(error);
		}
	});
	const draw = () => {
		const { State: state } = tab.app.Endpoint;
		tryNow.hidden = !tab.app.CallbackPending || (state !== "failing" && state !== "open");
		pause.textContent = tab.app.Endpoint.State === "paused" ? "Resume" : "Pause";
	};
	tab.onApp(draw);
	draw();
	replace(
		tab.body,
		list.elements(
			button("Replay many", () => openReplayMany(tab.sdkappid)),
			tryNow,
			pause,
		),
	);
}
