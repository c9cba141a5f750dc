//! What every store has to do, whatever it is made of. A new store joins with one line, `conformance!(name, open)`:
//! `open` is an async function that opens an empty store.

#![cfg(test)]

mod kit;

/// Declares the cases, group by group, and a macro that runs all of them against one store.
macro_rules! cases {
    ($($group:ident: $($case:ident),+;)+) => {
        $(mod $group;)+

        macro_rules! conformance {
            ($engine:ident, $open:path) => {
                mod $engine {
                    $(mod $group {
                        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                        async fn $case() {
                            let opened = $open().await;
                            crate::$group::$case(&crate::kit::World::new(opened.store())).await;
                            opened.close().await;
                        })+
                    })+
                }
            };
        }
    };
}

cases! {
    append: positions_have_no_gaps, times_never_decrease, an_unknown_room_is_said_to_be_unknown,
        what_was_decided_before_a_change_of_access_is_refused, a_message_comes_back_as_it_was_written;
    idempotency: a_retry_gets_the_original, another_body_is_a_conflict, keys_belong_to_a_room_and_a_sender,
        a_retry_is_answered_after_everything_else_has_changed;
    edits: an_edit_shows_everywhere, an_edit_that_changes_nothing_makes_no_entry, a_deletion_scrubs_everything_that_was_said,
        what_does_not_exist_cannot_be_edited, a_message_id_of_another_epoch_is_unknown;
    reactions: reactions_are_counted_in_the_order_of_their_first_use, a_reaction_that_changes_nothing_makes_no_entry,
        reactions_go_with_their_message;
    membership: joining_and_leaving_keep_everything_in_step, a_ban_stays_until_it_is_lifted_by_removing,
        an_invitation_is_a_standing, newcomers_see_what_the_room_shows_them, roles_change_for_members_only,
        what_may_take_access_away_makes_a_new_version, settings_change_where_they_differ;
    unread: unread_counts_messages_and_not_entries, own_messages_are_read, marks_never_go_back, mentions_are_counted_until_read,
        deleted_messages_still_count_and_their_mentions_do_not;
    own_logs: news_arrive_with_their_cause, a_refused_write_brings_no_news, who_has_no_log_is_not_told,
        marks_and_notices_arrive_in_the_own_log;
    rooms: a_room_begins_with_its_members, a_name_is_taken_once, a_deleted_room_is_gone_with_everything,
        lists_show_what_one_may_see, the_last_message_is_shown_as_it_is_now, members_are_listed_in_order,
        members_are_found_by_name, heads_of_unknown_rooms_are_left_out;
    entries: a_run_continues_where_it_was_left, a_run_is_bounded_in_entries_and_bytes, catch_up_shows_the_present_state,
        the_last_messages_begin_somewhere;
    pages: pages_lie_around_every_kind_of_position, pages_keep_to_what_may_be_seen, pages_of_one_person, pages_are_bounded_in_bytes,
        messages_are_found_by_id;
    search: words_are_prefixes_and_all_must_occur, case_and_accents_do_not_matter, nothing_in_a_query_is_syntax,
        a_search_keeps_to_its_room_and_to_what_may_be_seen, edits_and_deletions_are_searched_at_once, a_search_has_pages,
        a_trimmed_room_can_be_searched;
    retention: a_trimmed_log_keeps_its_positions, what_hung_on_trimmed_entries_is_gone, trimmed_keys_are_free_again,
        ages_are_found_room_by_room;
    accounts: people_are_found, addresses_are_unique_whatever_their_case, an_invitation_is_used_as_often_as_it_says,
        an_invitation_survives_a_refused_sign_up, setup_invitations_can_be_withdrawn, names_change,
        settings_and_keys_are_kept;
    logins: a_login_lives_until_it_ends, a_refresh_token_is_rotated_once, a_new_password_ends_every_login,
        revocations_are_numbered, a_ticket_is_taken_once;
    agreement: every_history_reads_as_in_memory;
    concurrency: many_writers_share_one_room, the_same_key_at_once_makes_one_entry, a_ban_stops_who_races_it,
        a_refused_neighbour_does_no_harm, one_invitation_at_once_is_used_once, searching_while_writing_finds_everything;
}

conformance!(memory, crate::kit::memory);
conformance!(sqlite, crate::kit::sqlite);
