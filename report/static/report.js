// Enlarge a figure on tap, say where a table goes on, explain the glossary's words.
"use strict";

function enlarge(image) {
  const dialog = document.createElement("dialog");
  dialog.className = "figure";
  const large = document.createElement("img");
  large.src = image.src;
  large.alt = image.alt;
  dialog.append(large);
  dialog.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

function prepareFigures(article) {
  for (const image of article.querySelectorAll("img:not(.small)")) {
    image.tabIndex = 0;
    image.setAttribute("role", "button");
    image.addEventListener("click", () => enlarge(image));
    image.addEventListener("keydown", (event) => event.key === "Enter" && enlarge(image));
  }
}

function prepareTables(article) {
  for (const box of article.querySelectorAll(".output.text_html, .table-wrapper")) {
    const table = box.querySelector("table");
    for (const cell of table ? table.querySelectorAll("td") : []) {
      if (cell.textContent.trim().length > 40) cell.classList.add("prose");
    }
    if (table && box.scrollWidth > box.clientWidth + 1) {
      box.classList.add("wide");
      const hint = document.createElement("p");
      hint.className = "swipe";
      hint.textContent = document.documentElement.lang === "es" ? "La tabla sigue →" : "The table goes on →";
      box.before(hint);
    }
  }
}

function explain(node, place, term, meaning) {
  const rest = node.splitText(place);
  rest.textContent = rest.textContent.slice(term.length);
  const word = document.createElement("span");
  word.tabIndex = 0;
  word.setAttribute("role", "button");
  word.className = "term";
  word.textContent = term;
  const note = document.createElement("span");
  note.textContent = meaning;
  word.append(note);
  rest.before(word);
}

function prepareTerms(article) {
  const terms = TERMS[document.documentElement.lang] || TERMS.en;
  const left = new Set(Object.keys(terms));
  const walker = document.createTreeWalker(article, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walker.nextNode()) texts.push(walker.currentNode);
  for (const node of texts) {
    if (node.parentElement.closest("a, h1, h2, h3, pre, code, button, dt, script, style")) continue;
    for (const term of left) {
      const place = node.textContent.indexOf(term);
      const edge = /[\p{L}\p{N}]/u;
      const before = node.textContent[place - 1] || " ";
      const after = node.textContent[place + term.length] || " ";
      if (place < 0 || edge.test(before) || edge.test(after)) continue;
      explain(node, place, term, terms[term]);
      left.delete(term);
      break; // the rest of this text is another node now
    }
  }
}

const SPANISH = {
  "Search": "Buscar", "Next": "Siguiente", "Previous": "Anterior", "Home": "Inicio",
  "On this page": "En esta página", "Contents": "Contenido",
};

// What the theme says of itself, and the menu, on a Spanish page.
function speakSpanish() {
  for (const input of document.querySelectorAll("input[placeholder]")) input.placeholder = SPANISH.Search;
  for (const each of document.querySelectorAll(".page-info .context span, .toc-title")) {
    each.textContent = SPANISH[each.textContent.trim()] || each.textContent;
  }
  const menu = document.querySelector(".sidebar-tree");
  const parts = menu ? [...menu.children] : [];
  for (const part of parts.slice(0, -2)) part.hidden = true; // the groups of English pages
}

document.addEventListener("DOMContentLoaded", () => {
  if (document.documentElement.lang === "es") speakSpanish();
  const article = document.querySelector("article");
  if (!article) return;
  prepareFigures(article);
  prepareTables(article);
  prepareTerms(article);
});
