// The model lives as long as its page: a background script is ended while it works.
chrome.action.onClicked.addListener(() => chrome.tabs.create({ url: 'chat.html' }));
