/* What comes before anything is painted, and so is a classic script.
 *
 * The backend is asked who is signed in while everything else is still being fetched; api.js takes the answer.
 *
 * Light or dark: what the switch was set to, else what the system prefers. Other scripts hear of a change by the event
 * "themechange" of document. */
(function () {
	"use strict";
	const request = { method: "POST", body: "{}", cache: "no-store" };
	window.highwaterSession = fetch("/manage/v1/session_show", request)
		.then((response) => response.json())
		.catch(() => undefined); // api.js asks again
	const KEY = "highwater-theme";
	const dark = window.matchMedia("(prefers-color-scheme: dark)");

	function chosen() {
		try {
			return localStorage.getItem(KEY);
		} catch {
			return null; // storage is switched off: the system's choice then
		}
	}

	function apply() {
		const theme = chosen() || (dark.matches ? "dark" : "light");
		document.documentElement.setAttribute("data-bs-theme", theme);
		for (const button of document.querySelectorAll("[data-theme-switch]")) {
			button.textContent = theme === "dark" ? "Light" : "Dark";
			button.setAttribute("aria-label", theme === "dark" ? "Use light colours" : "Use dark colours");
		}
		document.dispatchEvent(new Event("themechange"));
	}

	document.addEventListener("click", (event) => {
		if (!event.target.closest("[data-theme-switch]")) return;
		const theme = document.documentElement.getAttribute("data-bs-theme") === "dark" ? "light" : "dark";
		try {
			localStorage.setItem(KEY, theme);
		} catch {
			document.documentElement.setAttribute("data-bs-theme", theme); // for this page only
		}
		apply();
	});
	dark.addEventListener("change", apply);
	document.addEventListener("DOMContentLoaded", apply);
	window.highwaterTheme = apply;
	apply();
})();
