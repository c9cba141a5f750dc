//! G6: whoever does not read gets everything afterwards, and nobody pays for it meanwhile.

use std::time::Duration;

use salon_tests::support::{World, within};

/// How long bob reads nothing. `SALON_SLOW_S=60` is what the issue asks for.
const SLOW_S_DEFAULT: u64 = 8;
/// What the server may grow by while it has a reader that does not read, whatever is said in the room.
const GROWTH_BYTES_MAX: u64 = 48 * 1024 * 1024;
/// Bytes of a message: large enough that the kernel's buffers are full soon.
const CONTENT_BYTES: usize = 4 * 1024;
const SPEAKERS: usize = 4;

#[tokio::test]
async fn a_reader_that_stops_gets_everything_afterwards() {
    let slow_s = std::env::var("SALON_SLOW_S").ok().and_then(|text| text.parse().ok()).unwrap_or(SLOW_S_DEFAULT);
    let world = World::start().await;
    let bob = world.person("bob").await;
    let carol = world.person("carol").await;
    let speakers = world.people("speaker", SPEAKERS).await;
    for person in speakers.iter().chain([&bob, &carol]) {
        person.joins("general").await;
    }
    bob.catches_up("general").await;
    let before = world.resident_bytes();
    bob.device.stops_reading();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(slow_s);
    let talk = speakers.iter().map(|speaker| async move {
        let mut said = 0;
        while tokio::time::Instant::now() < deadline {
            speaker.says(&format!("{:x<CONTENT_BYTES$}", format!("{} {said} ", speaker.name))).await;
            said += 1;
            // Within the rate limit of 50 a second.
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        said
    });
    let said: u64 = futures_util::future::join_all(talk).await.into_iter().sum();
    carol.says("the end").await;
    carol.hears("the end").await;
    let grown = world.resident_bytes().saturating_sub(before);
    assert!(grown < GROWTH_BYTES_MAX, "{grown} bytes more, after {said} messages of {CONTENT_BYTES} bytes");
    bob.device.reads_again();
    within(Duration::from_secs(60), "everything", bob.hears("the end")).await;
    world.kept_every_promise(&["general"]).await;
}
