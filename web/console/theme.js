/* Light or dark, before anything is painted: what the switch was set to, else what the system prefers. A classic script, so
 * that no page flashes in the wrong colours. Other scripts hear of a change by the event "themechange" of document. */
(function () {
	"use strict";
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
