"""Which history convicted a mutant when that was last looked up; it is played first, and saves those before it.

It is no claim: where another one convicts by now, the test plays them all in their order, and only takes longer.
"""

FIRST = {
    "a_cancel_drops_what_may_have_left": 1,
    "a_complaint_suppresses_nobody": 9,
    "a_new_owner_waits_for_ever": 8,
    "a_no_is_read_when_deciding_only": 11,
    "a_no_to_a_topic_is_not_read_before_a_request": 5,
    "a_place_is_left_again_and_again": 10,
    "a_table_may_be_old": 10,
    "a_warm_up_does_not_grow": 19,
    "an_account_s_no_is_read_when_deciding_only": 8,
    "an_arm_is_drawn_at_each_decision": 4,
    "an_owner_is_asked_when_deciding_only": 8,
    "consent_is_asked_when_deciding_only": 39,
    "every_answer_is_definite": 1,
    "everybody_lives_by_the_loop_s_clock": 1,
    "nobody_s_place_is_left_to_others": 6,
    "one_address_is_mailed_about_two_accounts_at_once": 2,
    "only_people_pause": 12,
    "pages_of_two_loops_decide_at_once": 7,
    "receipts_come_after_settling": 160,
    "records_need_not_be_new": 1,
    "the_arms_of_a_page_are_written_down_after_it": 82,
    "the_ids_come_in_another_order": 9,
    "two_loops_plan_a_day_at_once": 5,
    "variants_are_cut_from_what_the_holdout_has_left": 2,
    "what_comes_back_pauses_its_own_loop_only": 12,
    "what_is_not_proven_is_absent": 1,
    "who_accepted_once_has_accepted_for_ever": 1,
    "who_comes_second_decides_by_an_arm_of_their_own": 21,
    "who_enters_in_flight_is_passed_over": 6,
    "who_is_in_flight_may_be_mailed": 28,
    "who_slept_sends_all_the_same": 147,
}
"""By the name of the mutant. All others are convicted by the history of seed 0."""
