//! Saying, editing, deleting, reacting: once, in order, within the limits.

use salon_proto::v1::{self, ack::Data, client_frame::Command, entry::Body};

use super::kit::*;

fn named(content: &str, client_id: &str) -> v1::SendMessage {
    v1::SendMessage { client_id: Some(client_id.to_owned()), ..message("general", content) }
}

fn edit(id: &str, content: &str) -> Command {
    Command::Edit(v1::EditMessage { room: "general".into(), id: id.to_owned(), content: content.to_owned() })
}

fn delete(id: &str) -> Command {
    Command::Delete(v1::DeleteMessage { room: "general".into(), id: id.to_owned() })
}

fn react(id: &str, emoji: &str, remove: bool) -> Command {
    Command::React(v1::React { room: "general".into(), id: id.to_owned(), emoji: emoji.to_owned(), remove })
}

#[tokio::test(start_paused = true)]
async fn everybody_hears_what_is_said_in_order() {
    let salon = Salon::open().await;
    let (here, there) = (salon.gateway(), salon.gateway());
    let (ann, a) = salon.guest_of(&here, "Ann", "general").await;
    let (_, b) = salon.guest_of(&there, "Bob", "general").await;
    let first = a.says("general", "hi").await;
    assert_eq!((&*first.room, first.seq, first.duplicate), ("general", 3, false));
    let serials: Vec<_> = (0..100).map(|n| (n % 2, n)).collect();
    for (who, n) in serials {
        let device = if who == 0 { &a } else { &b };
        device.sends(Command::Message(message("general", &n.to_string())), None);
        if n % 40 == 39 {
            passes(5).await;
        }
    }
    here.settles().await;
    let (heard, elsewhere) = (here.heard(&general()), there.heard(&general()));
    // Bob's gateway attached after Ann's: it hears the same from there on.
    assert!(heard.ends_with(&elsewhere) && elsewhere.len() >= 101, "{elsewhere:?}");
    assert_eq!(heard.last().unwrap().split(':').next(), Some("103"));
    let mine: Vec<u32> = heard.iter().filter_map(|line| line.split(": ").nth(1)?.parse().ok()).filter(|n| n % 2 == 0).collect();
    assert!(mine.is_sorted() && mine.len() == 50, "the commands of one connection take effect in order: {mine:?}");
    let entry = here.seen.lock().entries.iter().find(|e| e.entry.as_ref().unwrap().seq == 3).unwrap().entry.clone().unwrap();
    assert_eq!((&*entry.user, &*entry.name, &*entry.timestamp), (ann.id().as_str(), "Ann", &*first.timestamp));
}

#[tokio::test(start_paused = true)]
async fn a_retry_is_one_message() {
    let salon = Salon::open().await;
    let gateway = salon.gateway();
    let (_, ann) = salon.guest_of(&gateway, "Ann", "general").await;
    let (_, bob) = salon.guest_of(&gateway, "Bob", "general").await;
    let first = ann.says_in_full(named("hi", "k1")).await.unwrap();
    let original = v1::MessageAck { duplicate: true, ..first.clone() };
    assert_eq!(ann.says_in_full(named("hi", "k1")).await.unwrap(), original);
    assert_eq!(ann.is_refused(Command::Message(named("ho", "k1"))).await, "conflict client_id");
    let other = v1::SendMessage { extra: Some("{}".into()), ..named("hi", "k1") };
    assert_eq!(ann.is_refused(Command::Message(other)).await, "conflict client_id");
    assert!(!bob.says_in_full(named("hi", "k1")).await.unwrap().duplicate, "another sender is another scope");
    ann.changes(edit(&first.id, "hello")).await;
    assert_eq!(ann.says_in_full(named("hi", "k1")).await.unwrap(), original, "after an edit");
    ann.changes(delete(&first.id)).await;
    assert_eq!(ann.says_in_full(named("hi", "k1")).await.unwrap(), original, "after a deletion");
    assert_eq!(ann.is_refused(Command::Message(named("hello", "k1"))).await, "conflict client_id");
}

#[tokio::test(start_paused = true)]
async fn a_retry_is_answered_whatever_refuses_it_now() {
    let salon = Salon::open().await;
    let gateway = salon.gateway();
    let owner = salon.admin("Olga").await;
    let (ann, device) = salon.guest_of(&gateway, "Ann", "general").await;
    let quoted = device.says("general", "quoted").await;
    let reply = v1::SendMessage { reply_to: Some(quoted.id.clone()), ..named("re", "k1") };
    let first = device.says_in_full(reply.clone()).await.unwrap();
    device.changes(delete(&quoted.id)).await;
    assert!(device.says_in_full(reply.clone()).await.unwrap().duplicate, "what it replies to was deleted");
    for _ in 0..250 {
        device.sends(Command::Message(message("general", "x")), None);
        passes(1).await;
    }
    let error = device.asks(Command::Message(named("new", "k2"))).await.unwrap_err();
    assert_eq!((&*error.code, error.retryable), ("rate_limited", true));
    assert!(error.retry_after_ms.is_some());
    assert_eq!(device.says_in_full(reply.clone()).await.unwrap().seq, first.seq, "too fast");
    salon.change(&owner, &general(), &ann, salon_core::MemberChange::Banned).await;
    assert_eq!(device.says_in_full(reply).await.unwrap().seq, first.seq, "banned");
    assert_eq!(device.is_refused(Command::Message(named("new", "k2"))).await, "forbidden");
    passes(10_000).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_no_message_is_refused_with_the_field() {
    let salon = Salon::open().await;
    let gateway = salon.gateway();
    let (_, ann) = salon.guest_of(&gateway, "Ann", "general").await;
    let good = || message("general", "hi");
    let long = "é".repeat(8 * 1024 + 1);
    for (bad, refusal) in [
        (message("general", " \n"), "invalid content"),
        (message("general", &long), "too_large content"),
        (message("No", "hi"), "invalid room"),
        (message("nowhere", "hi"), "not_found room"),
        (message("@me", "hi"), "forbidden"),
        (v1::SendMessage { client_id: Some(String::new()), ..good() }, "invalid client_id"),
        (v1::SendMessage { client_id: Some("x".repeat(65)), ..good() }, "invalid client_id"),
        (v1::SendMessage { reply_to: Some("m_x".into()), ..good() }, "invalid reply_to"),
        (v1::SendMessage { reply_to: Some("m_10000000000".into()), ..good() }, "not_found reply_to"),
        (v1::SendMessage { attachments: vec!["f_1".into()], ..good() }, "invalid attachments"),
        (v1::SendMessage { extra: Some("[1]".into()), ..good() }, "invalid extra"),
        (v1::SendMessage { extra: Some(r#"{"a":"\ud800"}"#.into()), ..good() }, "invalid extra"),
        (v1::SendMessage { extra: Some(r#"{"a":1e999}"#.into()), ..good() }, "invalid extra"),
        (v1::SendMessage { extra: Some(format!("{{\"a\":{}1{}}}", "[".repeat(40), "]".repeat(40))), ..good() }, "invalid extra"),
        (v1::SendMessage { extra: Some(format!("{{\"a\":\"{}\"}}", "x".repeat(4096))), ..good() }, "too_large extra"),
    ] {
        let said = format!("{bad:?}");
        assert_eq!(ann.is_refused(Command::Message(bad)).await, refusal, "{said:.120}");
    }
    let most = "é".repeat(8 * 1024);
    ann.says_in_full(v1::SendMessage { extra: Some(r#"{"a":[1]}"#.into()), ..message("general", &most) }).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_changes_nothing_makes_no_entry() {
    let salon = Salon::open().await;
    let gateway = salon.gateway();
    let (_, ann) = salon.guest_of(&gateway, "Ann", "general").await;
    let (_, bob) = salon.guest_of(&gateway, "Bob", "general").await;
    let said = ann.says("general", "hi").await;
    assert_eq!(ann.changes(edit(&said.id, "hi")).await.seq, None);
    assert_eq!(bob.changes(react(&said.id, "👍", true)).await.seq, None);
    assert_eq!(bob.changes(react(&said.id, "👍", false)).await.seq, Some(4));
    assert!(bob.changes(react(&said.id, "👍", false)).await.duplicate);
    assert_eq!(ann.changes(edit(&said.id, "ho")).await.seq, Some(5));
    assert_eq!(bob.is_refused(edit(&said.id, "no")).await, "forbidden");
    assert_eq!(bob.is_refused(delete(&said.id)).await, "forbidden");
    let page = bob.history(v1::GetHistory { room: "general".into(), ..v1::GetHistory::default() }).await;
    let Some(Body::Message(message)) = &page.messages[0].body else { panic!() };
    assert_eq!((&*message.content, message.edited_at.is_some()), ("ho", true));
    assert_eq!(message.reactions, [v1::Reaction { emoji: "👍".into(), count: 1, mine: true }]);
    assert_eq!(ann.changes(delete(&said.id)).await.seq, Some(6));
    assert!(ann.changes(delete(&said.id)).await.duplicate);
    assert_eq!(ann.is_refused(edit(&said.id, "again")).await, "not_found id");
    assert_eq!(bob.is_refused(react(&said.id, "👍", false)).await, "not_found id");
    assert_eq!(bob.is_refused(react(&said.id, "", false)).await, "invalid emoji");
    assert_eq!(bob.is_refused(react(&said.id, &"x".repeat(65), false)).await, "too_large emoji");
    assert_eq!(bob.is_refused(edit("m_1", "x")).await, "invalid id");
    gateway.settles().await;
    assert_eq!(gateway.heard(&general())[1..], ["3: hi", "4: +👍", "5: edit ho", "6: delete"]);
}

#[tokio::test(start_paused = true)]
async fn a_reply_quotes_the_present_state() {
    let salon = Salon::open().await;
    let gateway = salon.gateway();
    let (ann, device) = salon.guest_of(&gateway, "Ann", "general").await;
    let said = device.says("general", &"é".repeat(300)).await;
    device.says_in_full(v1::SendMessage { reply_to: Some(said.id.clone()), ..message("general", "re") }).await.unwrap();
    gateway.settles().await;
    let quote = |entry: v1::Entry| {
        let Some(Body::Message(message)) = entry.body else { panic!() };
        message.reply_to.unwrap()
    };
    let live = quote(gateway.seen.lock().entries.last().unwrap().entry.clone().unwrap());
    assert_eq!((&*live.user, &*live.name, live.excerpt.chars().count()), (ann.id().as_str(), "Ann", 120));
    device.changes(edit(&said.id, "short")).await;
    let later = gateway.reads_block(&general(), 2, 3).await.entries.remove(0);
    assert_eq!(quote(later).excerpt, "short");
    device.changes(delete(&said.id)).await;
    let page = device.history(v1::GetHistory { room: "general".into(), ..v1::GetHistory::default() }).await;
    assert_eq!(quote(page.messages[1].clone()).excerpt, "");
}

#[tokio::test(start_paused = true)]
async fn history_goes_back_and_forth_by_cursor_and_by_time() {
    let salon = Salon::open().await;
    let gateway = salon.gateway();
    let (_, ann) = salon.guest_of(&gateway, "Ann", "general").await;
    let mut times = Vec::new();
    for n in 0..30 {
        passes(50).await;
        times.push(ann.says("general", &n.to_string()).await.timestamp);
    }
    let query = || v1::GetHistory { room: "general".into(), limit: Some(10), ..v1::GetHistory::default() };
    let contents = |page: &v1::HistoryPage| -> Vec<String> {
        page.messages.iter().map(|entry| describe(entry).split(": ").nth(1).unwrap().to_owned()).collect()
    };
    let numbers = |range: std::ops::Range<u32>| range.map(|n| n.to_string()).collect::<Vec<_>>();
    let newest = ann.history(query()).await;
    assert_eq!((contents(&newest), &newest.next), (numbers(20..30), &None));
    let before = ann.history(v1::GetHistory { before: newest.prev, ..query() }).await;
    assert_eq!(contents(&before), numbers(10..20));
    let after = ann.history(v1::GetHistory { after: before.next, ..query() }).await;
    assert_eq!(contents(&after), numbers(20..30));
    let time = |at: usize| Some(times[at].clone());
    assert_eq!(contents(&ann.history(v1::GetHistory { before: time(10), ..query() }).await), numbers(0..10));
    assert_eq!(contents(&ann.history(v1::GetHistory { after: time(25), ..query() }).await), numbers(25..30));
    let at = contents(&ann.history(v1::GetHistory { at: time(15), ..query() }).await);
    assert!(at.contains(&"14".to_owned()) && at.contains(&"15".to_owned()), "{at:?}");
    let future = Some("2100-01-01T00:00:00Z".to_owned());
    assert_eq!(contents(&ann.history(v1::GetHistory { after: future.clone(), ..query() }).await), numbers(0..0));
    assert_eq!(contents(&ann.history(v1::GetHistory { before: future, ..query() }).await), numbers(20..30));
    let bad = v1::GetHistory { before: Some("x".into()), ..query() };
    assert_eq!(ann.is_refused(Command::History(bad)).await, "invalid before");
    let found = ann.history(v1::GetHistory { query: Some("17".into()), ..query() }).await;
    assert_eq!(contents(&found), ["17"]);
    let nobody = v1::GetHistory { user: Some("me".into()), ..query() };
    assert_eq!(ann.is_refused(Command::History(nobody)).await, "invalid user");
}

#[tokio::test(start_paused = true)]
async fn a_command_without_an_id_gets_a_silent_reply_and_errors_all_the_same() {
    let salon = Salon::open().await;
    let gateway = salon.gateway();
    let (_, ann) = salon.guest_of(&gateway, "Ann", "general").await;
    let silent = ann.reply(ann.sends(Command::Message(message("general", "hi")), None)).await;
    assert_eq!((silent.frame, silent.effect), (None, None));
    let refused = ann.reply(ann.sends(Command::Message(message("general", "")), None)).await;
    assert_eq!(refused.frame.unwrap().id, None);
    assert_eq!(ann.asks(Command::Ping(v1::Ping {})).await, Ok(Data::Empty(v1::Empty {})));
    assert_eq!(ann.is_refused(Command::Signal(v1::SendSignal::default())).await, "invalid");
    assert_eq!(ann.is_refused(Command::Location(v1::ShareLocation::default())).await, "invalid");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_makes_it_unavailable_in_time() {
    let salon = Salon::open().await;
    let gateway = salon.gateway();
    let (_, ann) = salon.guest_of(&gateway, "Ann", "general").await;
    salon.store.set_faults(salon_store::Faults::slow_writes(std::time::Duration::from_secs(60)));
    let begun = tokio::time::Instant::now();
    let error = ann.asks(Command::Message(named("hi", "k1"))).await.unwrap_err();
    assert_eq!((&*error.code, error.retryable), ("unavailable", true));
    assert!(begun.elapsed() < std::time::Duration::from_secs(10));
    salon.store.set_faults(salon_store::Faults::default());
    passes(60_000).await;
    // It had happened all the same: the retry finds it, and everybody was told.
    let retry = ann.says_in_full(named("hi", "k1")).await.unwrap();
    assert_eq!((retry.seq, retry.duplicate), (2, true));
    passes(2_000).await;
    assert_eq!(gateway.heard(&general()).last().map(String::as_str), Some("2: hi"));
}
