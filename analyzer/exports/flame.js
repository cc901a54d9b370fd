"use strict";
(function () {
	const margin = 10, letter = 6.7, frames = [];
	const byId = id => document.getElementById(id);
	const view = byId("frames"), wide = 1200 - 2 * margin;
	let zoomed = null, searched = "";

	function label(f, x, width) {
		const room = Math.floor((width - 6) / letter);
		f.text.setAttribute("x", x + 3);
		f.text.textContent = f.name.length <= room ? f.name : room < 3 ? "" : f.name.slice(0, room - 2) + "..";
	}

	function place(f, x, width) {
		f.rect.setAttribute("x", x);
		f.rect.setAttribute("width", width);
		label(f, x, width);
	}

	/* Frames below the zoomed one are as wide as the graph; those beside it go. */
	function zoom(to) {
		const end = to.x + to.width, scale = wide / to.width, near = 0.002;
		for (const f of frames) {
			const below = f.y > to.y && f.x <= to.x + near && f.x + f.width >= end - near;
			const inside = f.y <= to.y && f.x >= to.x - near && f.x + f.width <= end + near;
			f.g.classList.toggle("above", below);
			f.g.classList.toggle("hidden", !below && !inside);
			if (below)
				place(f, margin, wide);
			else if (inside)
				place(f, margin + (f.x - to.x) * scale, f.width * scale);
		}
		zoomed = to === frames[0] ? null : to;
		byId("reset").classList.toggle("idle", !zoomed);
		remember();
	}

	/* The share of the time in frames that match; frames on top of others count once. */
	function search(pattern) {
		let sum = 0, end = -1, test;
		try {
			test = pattern && new RegExp(pattern);
		} catch (e) {
			byId("matched").textContent = "not a pattern: " + pattern;
			return;
		}
		searched = pattern;
		const hits = frames.filter(f => {
			const hit = test && f !== frames[0] && test.test(f.name);
			f.g.classList.toggle("hit", Boolean(hit));
			return hit;
		}).sort((a, b) => a.x - b.x || b.width - a.width);
		for (const f of hits) {
			const from = Math.max(f.x, end);
			sum += Math.max(0, f.x + f.width - from);
			end = Math.max(end, f.x + f.width);
		}
		view.classList.toggle("searched", Boolean(test));
		byId("matched").textContent = test ? "matched: " + (100 * sum / wide).toFixed(1) + " %" : "";
		byId("search").textContent = test ? "clear search" : "search";
		remember();
	}

	function ask() {
		if (searched)
			return search("");
		const pattern = prompt("A regular expression for functions, threads and causes:", "");
		if (pattern)
			search(pattern);
	}

	/* In the address, so that a link shows the same. */
	function remember() {
		const state = new URLSearchParams();
		if (zoomed)
			state.set("frame", frames.indexOf(zoomed));
		if (searched)
			state.set("search", searched);
		try {
			history.replaceState(null, "", "#" + state);
		} catch (e) { /* where there is no address */ }
	}

	function recall() {
		const state = new URLSearchParams(location.hash.slice(1));
		const frame = frames[Number(state.get("frame"))];
		const pattern = state.get("search");
		if (state.has("frame") && frame)
			zoom(frame);
		if (pattern)
			search(pattern);
	}

	for (const g of view.children) {
		const rect = g.querySelector("rect"), title = g.querySelector("title").textContent;
		const f = { g, rect, text: g.querySelector("text"), title,
			name: title.replace(/ \([^()]*\)$/, ""),
			x: Number(rect.getAttribute("x")), y: Number(rect.getAttribute("y")),
			width: Number(rect.getAttribute("width")) };
		frames.push(f);
		g.addEventListener("click", () => zoom(f));
		g.addEventListener("mouseover", () => { byId("details").textContent = title; });
		g.addEventListener("mouseout", () => { byId("details").textContent = ""; });
	}
	byId("reset").classList.add("idle");
	byId("reset").addEventListener("click", () => zoom(frames[0]));
	byId("search").addEventListener("click", ask);
	window.addEventListener("keydown", e => {
		if (e.key === "Escape") {
			zoom(frames[0]);
			search("");
		} else if (e.key === "/" || ((e.ctrlKey || e.metaKey) && e.key === "f")) {
			e.preventDefault();
			ask();
		}
	});
	recall();
})();
