"""The browser pool of these tests: a reused context has no state of its previous use.

test_alerts proves that of permissions.
"""

from chat import Chat
from conftest import SomeOne
from device import Browsers

LEFT_BEHIND = """async () => ({
  stored: [...Object.keys(localStorage), ...Object.keys(sessionStorage)],
  databases: (await indexedDB.databases()).map(({ name }) => name),
  caches: await caches.keys(),
  workers: (await navigator.serviceWorker.getRegistrations()).length,
})"""


async def test_a_reused_browser_is_like_a_new_one(browsers: Browsers, someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    before = await browsers.open(ana, service_workers="allow")
    chat = await Chat(before).enter(await ana.group("비밀", ben))
    await chat.send("남으면 안 되는 말")
    await chat.can_do_without_network("남으면 안 되는 말")
    await chat.composer.fill("쓰다 만 글")
    await before.go_offline()
    kept = await before.page.evaluate(LEFT_BEHIND)
    assert all(kept.values()), kept
    await browsers.give_back(before)

    after = await browsers.open(service_workers="allow")
    assert after.context is before.context
    await after.page.goto("/icons/icon.svg")  # a page of this origin without scripts
    assert await after.context.cookies() == []
    left = await after.page.evaluate(LEFT_BEHIND)
    assert {what: found for what, found in left.items() if found} == {}
    await browsers.give_back(after)
