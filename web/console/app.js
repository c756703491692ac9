"use strict";

// Says whether the backend answers.
fetch("/healthz")
	.then((reply) => reply.json())
	.then((reply) => (reply.ErrorCode === 0 ? "The backend runs." : reply.ErrorInfo))
	.catch((error) => `The backend cannot be reached: ${error.message}`)
	.then((text) => {
		document.getElementById("state").textContent = text;
	});
