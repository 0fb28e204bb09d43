/**
 * Texts that would run code, load something, or lead somewhere else than they say, if a page took them for more than text. Each calls
 * `ran('…')` in its own way, or names a server whose address ends in `.invalid`.
 */

const CODE = "ran('x')";
const STRANGER = 'http://stranger.invalid/x';

/** Handlers that a browser calls by itself, or as soon as somebody touches the page. */
const HANDLERS = [
  'onload', 'onerror', 'onfocus', 'onblur', 'onmouseover', 'onmouseenter', 'onpointerenter', 'onclick', 'onanimationstart', 'ontransitionend', 'ontoggle',
  'onbeforetoggle', 'onbegin', 'onend', 'onpageshow', 'onscroll', 'onscrollend', 'onresize', 'onhashchange', 'onloadstart', 'oncanplay', 'onwheel',
];

/** Elements that have such handlers, with what makes them called. */
const ELEMENTS: [tag: string, attributes: string][] = [
  ['img', 'src=x:x'], ['svg', ''], ['body', ''], ['video', 'autoplay'], ['audio', 'src=x:x'], ['iframe', 'src=about:blank'], ['input', 'autofocus'], ['details', 'open'],
  ['object', 'data=x:x'], ['marquee', ''],
];

const handlers = HANDLERS.flatMap((handler, index) =>
  [0, 3, 7].map((step) => {
    const [tag, attributes] = ELEMENTS[(index + step) % ELEMENTS.length] as [string, string];
    return [`<${tag} ${attributes} ${handler}="${CODE}">`, `<${tag}/${handler}=${CODE}/>`, `<${tag.toUpperCase()}\n${attributes}\t${handler.toUpperCase()}\n=\n'${CODE.replaceAll("'", '`')}'>`][step % 3] as string;
  }));

/** Addresses that run what they are, as they are and as parsers of different leniency may still take them. */
const ADDRESSES = [
  `javascript:${CODE}`, `JaVaScRiPt:${CODE}`, ` javascript:${CODE}`, `\u0001javascript:${CODE}`, `java\tscript:${CODE}`, `java\nscript:${CODE}`, `javascript&colon;${CODE}`,
  `&#106;avascript:${CODE}`, `&#x6A;avascript&#58;${CODE}`, `javascript%3A${CODE}`, `javascript://%0A${CODE}`, `javascript://host/%0d%0a${CODE}`, `vbscript:${CODE}`,
  `data:text/html,<script>${CODE}</script>`, `data:text/html;base64,PHNjcmlwdD5yYW4oJ3gnKTwvc2NyaXB0Pg==`, `data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' onload="${CODE}"/>`,
  'blob:null/x', 'file:///etc/passwd', 'filesystem:x', `view-source:${STRANGER}`, `\\\\stranger.invalid\\x`, `//stranger.invalid/x`, `https:stranger.invalid/x`, `http://me:secret@stranger.invalid/x`,
];

const links = ADDRESSES.flatMap((address) => [
  `[a](${address.replaceAll(' ', '%20').replaceAll('\n', '')})`, `[a](<${address.replaceAll('\n', '')}>)`, `![a](${address.replaceAll('\n', '')})`, `<${address}>`, `[a]\n\n[a]: ${address}`,
  `<a href="${address}">a</a>`,
]);

const elements = [
  `<script>${CODE}</script>`, `<script src=${STRANGER}></script>`, `<script type=module>${CODE}</script>`, `<ScRiPt>${CODE}</ScRiPt>`, `<script\n>${CODE}</script\n>`, `<<script>script>${CODE}<</script>/script>`,
  `<scr<script>ipt>${CODE}</scr</script>ipt>`, `<!--><script>${CODE}</script>-->`, `<!--[if gte IE 4]><script>${CODE}</script><![endif]-->`, `<![CDATA[><script>${CODE}</script>]]>`,
  `<iframe srcdoc="<script>parent.${CODE}</script>"></iframe>`, `<iframe src="${STRANGER}"></iframe>`, `<embed src="${STRANGER}">`, `<object data="${STRANGER}"></object>`, `<frameset onload="${CODE}">`,
  `<meta http-equiv=refresh content="0;url=${STRANGER}">`, `<base href="${STRANGER}">`, `<link rel=stylesheet href="${STRANGER}">`, `<link rel=preload as=script href="${STRANGER}">`, `<link rel=dns-prefetch href="//stranger.invalid">`,
  `<form action="${STRANGER}"><input name=a autofocus><button>b</button></form>`, `<form id=x></form><button form=x formaction="javascript:${CODE}">b</button>`, `<isindex action="javascript:${CODE}" type=image>`,
  `<style>@import '${STRANGER}';</style>`, `<style>*{background:url(${STRANGER})}</style>`, `<p style="background:url(${STRANGER})">a</p>`, `<p style="width:expression(${CODE})">a</p>`, `<p style="position:fixed;inset:0;z-index:9999">a</p>`,
  `<svg><script>${CODE}</script></svg>`, `<svg><a xlink:href="javascript:${CODE}"><text y=9>a</text></a></svg>`, `<svg><animate onbegin=${CODE} attributeName=x dur=1s>`, `<svg><use href="data:image/svg+xml,<svg id=x onload=${CODE}>#x"/></svg>`,
  `<svg><set attributeName=href to="javascript:${CODE}"/></svg>`, `<svg><foreignObject><img src=x:x onerror=${CODE}></foreignObject></svg>`, `<math><mi xlink:href="javascript:${CODE}">a</mi></math>`, `<math href="javascript:${CODE}">a</math>`,
  `<math><mtext><table><mglyph><style><!--</style><img title="--><img src=x:x onerror=${CODE}>">`, `<svg></p><style><a id="</style><img src=x:x onerror=${CODE}>">`, `<noscript><p title="</noscript><img src=x:x onerror=${CODE}>">`,
  `<template><img src=x:x onerror=${CODE}></template>`, `<select><template><img src=x:x onerror=${CODE}></template></select>`, `<xmp><p title="</xmp><img src=x:x onerror=${CODE}>">`, `<textarea><p title="</textarea><img src=x:x onerror=${CODE}>">`,
  `<title><p title="</title><img src=x:x onerror=${CODE}>">`, `<table background="javascript:${CODE}"><td background="${STRANGER}">`, `<img src="${STRANGER}">`, `<img srcset="${STRANGER} 1x">`, `<picture><source srcset="${STRANGER}"><img></picture>`,
  `<video poster="${STRANGER}"></video>`, `<audio src="${STRANGER}" autoplay></audio>`, `<input type=image src="${STRANGER}">`, `<img src=x:x onerror="&#114;an('x')">`, `<img src=x:x onerror=&#x72;an('x')>`, `<img src=x:x onerror\u0000=${CODE}>`,
  `<img src="x:x"onerror="${CODE}">`, `<img src=x:x\u000conerror=${CODE}>`, `\u003cimg src=x:x onerror=${CODE}\u003e`, `%3Cimg src=x:x onerror=${CODE}%3E`, `&lt;img src=x:x onerror=${CODE}&gt;`, `＜img src=x:x onerror=${CODE}＞`,
  `<a href="x" target=_self onclick=${CODE}>a</a>`, `<a href="#" ping="${STRANGER}">a</a>`, `<a name=location href=x>a</a>`, `<img name=body>`, `<form name=cookie>`, `<button popovertarget=x>a</button><p popover id=x onbeforetoggle=${CODE}>a</p>`,
  `<dialog open onclose=${CODE}><form method=dialog><button autofocus>a</button></form></dialog>`, `<keygen autofocus onfocus=${CODE}>`, `<xss contenteditable autofocus onfocus=${CODE}>`, `<xss id=x tabindex=1 onfocus=${CODE} style="display:block">`,
];

/** Out of an attribute, a text or a script that they might be put into; and what template languages would evaluate. */
const contexts = [
  `"><img src=x:x onerror=${CODE}>`, `'><img src=x:x onerror=${CODE}>`, `" onmouseover=${CODE} x="`, `' autofocus onfocus=${CODE} x='`, `\`onload=${CODE}`, `</title><script>${CODE}</script>`, `</textarea><script>${CODE}</script>`, `</style><script>${CODE}</script>`,
  `</script><script>${CODE}</script>`, `--><script>${CODE}</script>`, `]]><script>${CODE}</script>`, `';${CODE};'`, `";${CODE};"`, `\\';${CODE};//`, `\${${CODE}}`, `\`\${${CODE}}\``, `{{constructor.constructor("${CODE}")()}}`, `{{${CODE}}}`, `{% raw %}${CODE}`, `<%= ${CODE} %>`, `#{${CODE}}`,
  `$\\href{javascript:${CODE}}{a}$`, `\\(\\url{javascript:${CODE}}\\)`, `\\(\\includegraphics{${STRANGER}}\\)`, `\\(\\htmlData{onclick=${CODE}}{a}\\)`, `\\(\\text{<img src=x:x onerror=${CODE}>}\\)`, `$$\\style{background:url(${STRANGER})}{a}$$`, `\\(\\unicode{x3c}img src=x:x onerror=${CODE}\\unicode{x3e}\\)`,
  `\`\`\`html\n<script>${CODE}</script>\n\`\`\``, `\`\`\`js"><img src=x:x onerror=${CODE}>\ncode\n\`\`\``, `\`\`\`__proto__\ncode\n\`\`\``, `\`\`\`constructor\ncode\n\`\`\``, `\`<img src=x:x onerror=${CODE}>\``, `| <img src=x:x onerror=${CODE}> | b |\n|--|--|\n| [a](javascript:${CODE}) | c |`,
  `# <script>${CODE}</script>`, `- [ ] <img src=x:x onerror=${CODE}>`, `> <iframe srcdoc="<script>${CODE}</script>">`, `[a](x "\\"><img src=x:x onerror=${CODE}>")`, `[a](http://b "' onmouseover=${CODE} '")`, `![a" onerror="${CODE}](x:x)`, `[<img src=x:x onerror=${CODE}>](http://b)`, `[![a](javascript:${CODE})](javascript:${CODE})`,
  `<http://a" onmouseover="${CODE}>`, `http://a/"onmouseover="${CODE}"`, `www.a.invalid/<script>${CODE}</script>`, `a@b.invalid"onclick="${CODE}`, `\u202e>"x"=daolno gvs<`, `\ud800<img src=x:x onerror=${CODE}>`, `<\u200bimg src=x:x onerror=${CODE}>`, `\ufeff<script>${CODE}</script>`,
  '__proto__', 'constructor', 'toString', 'hasOwnProperty', '{"__proto__":{"ran":1}}',
];

export const INJECTIONS: readonly string[] = [...new Set([...handlers, ...links, ...elements, ...contexts])];

/** Runs in a page, before anything of it where that can be had: notes what calls `ran`, and what the policy had to stop. */
export const WATCH = `(() => {
  const noted = (window.noted = []);
  window.ran = (what) => noted.push('ran: ' + what);
  document.addEventListener('securitypolicyviolation', (event) => noted.push('stopped: ' + event.violatedDirective + ' ' + event.blockedURI + ' ' + event.sample));
})()`;

/** Runs in a page: what there is that a text has no business to make. */
export const FOUND = `(() => {
  const found = [...(window.noted ?? ['the page is not watched'])];
  if (({}).ran !== undefined) found.push('a prototype has ran');
  for (const element of document.body.querySelectorAll('*')) {
    const name = element.localName;
    if (['script', 'iframe', 'frame', 'object', 'embed', 'base', 'meta', 'link', 'style', 'audio', 'video', 'foreignobject', 'template', 'marquee'].includes(name) && !element.matches('body > script, body > noscript')) found.push(name);
    if (element.closest('.answer, .bubble') && ['img', 'svg', 'form', 'details', 'dialog'].includes(name) && !element.closest('button')) found.push(name + ' in a message');
    for (const { name: attribute, value } of element.attributes) {
      if (/^on/i.test(attribute) || attribute === 'srcdoc' || attribute === 'ping') found.push(name + '[' + attribute + ']');
      if (['href', 'src', 'xlink:href', 'action', 'formaction', 'data', 'poster', 'srcset', 'background'].includes(attribute) && /^[^a-z]*(j|v|d|view-source|file|blob:null)[^:/?#]*:/i.test(value)) found.push(name + '[' + attribute + '=' + value + ']');
      if (attribute === 'style' && element.closest('.answer, .bubble, .document-text') && /url\\(|expression|position/i.test(value)) found.push(name + '[style=' + value + ']');
    }
    if (name === 'a' && element.closest('.answer, .bubble') && !/noopener/.test(element.rel)) found.push('a link that is followed as it is');
  }
  return found;
})()`;
