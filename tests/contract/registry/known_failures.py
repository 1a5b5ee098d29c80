"""What registries of other projects do otherwise than a case says: one by one, and each must fail.

A failure that is not here, or that is here and does not happen, fails the run. There is no row for ours. The cases ask
for what the specification only allows or recommends, too, so a row is not always a fault.
"""

from __future__ import annotations

from typing import NamedTuple


class Known(NamedTuple):
    """A case with its parameters, the registries that fail it, and what they do."""

    case: str
    registries: str
    reason: str


# fmt: off
TABLE = (
    Known("test_an_upload_is_cancelled",                                                            "olareg",                                "202"),
    Known("test_a_manifest_over_the_limit_is_too_large",                                            "distribution31 distribution28",         "400"),
    Known("test_an_upload_that_never_began_cannot_go_on",                                           "olareg",                                "400"),
    Known("test_a_last_chunk_out_of_order_is_refused",                                              "distribution31 distribution28",         "400: the range of the last chunk is passed over"),
    Known("test_a_manifest_is_answered_whatever_is_accepted",                                       "olareg distribution31 distribution28",  "404 unless its type is named"),
    Known("test_a_repository_without_tags_lists_none",                                              "distribution31 distribution28",         "404: it is not there"),
    Known("test_a_blob_of_another_repository_is_mounted[sha512]",                                   "distribution31 distribution28",         "Location names it by its sha256, and is not there"),
    Known("test_a_blob_is_deleted[sha256]",                                                         "olareg",                                "a blob can be deleted twice"),
    Known("test_a_blob_is_deleted[sha512]",                                                         "olareg",                                "a blob can be deleted twice"),
    Known("test_a_chunk_out_of_order_is_refused_and_the_upload_goes_on",                            "distribution28",                        "a chunk out of order is appended"),
    Known("test_the_same_chunk_twice_is_refused",                                                   "distribution28",                        "a chunk out of order is appended"),
    Known("test_what_is_no_digest_is_refused[no hex-DELETE]",                                       "distribution31",                        "a failure (500)"),
    Known("test_what_is_no_digest_is_refused[no hex-GET]",                                          "distribution31 distribution28",         "a failure (500)"),
    Known("test_what_is_no_digest_is_refused[no hex-HEAD]",                                         "distribution31 distribution28",         "a failure (500)"),
    Known("test_what_is_no_digest_is_refused[no hex-PUT]",                                          "distribution31 distribution28",         "a failure (500)"),
    Known("test_what_is_no_digest_is_refused[upper case-DELETE]",                                   "distribution31",                        "a failure (500)"),
    Known("test_what_is_no_digest_is_refused[upper case-GET]",                                      "distribution31 distribution28",         "a failure (500)"),
    Known("test_what_is_no_digest_is_refused[upper case-HEAD]",                                     "distribution31 distribution28",         "a failure (500)"),
    Known("test_what_is_no_digest_is_refused[upper case-PUT]",                                      "distribution31 distribution28",         "a failure (500)"),
    Known("test_a_manifest_by_digest_comes_back_as_it_was[sha256-foreign_layers]",                  "distribution31 distribution28",         "a failure (500): the layer is missed"),
    Known("test_a_manifest_by_tag_comes_back_and_is_listed[foreign_layers]",                        "distribution31 distribution28",         "a failure (500): the layer is missed"),
    Known("test_a_manifest_that_is_deleted_is_gone[sha256-foreign_layers]",                         "distribution31 distribution28",         "a failure (500): the layer is missed"),
    Known("test_nobody_refers_to_what_is_not_there[sha256]",                                        "olareg",                                "an empty list is null"),
    Known("test_nobody_refers_to_what_is_not_there[sha512]",                                        "olareg",                                "an empty list is null"),
    Known("test_referrers_are_those_of_one_repository",                                             "olareg",                                "an empty list is null"),
    Known("test_referrers_of_what_is_no_digest_are_refused[no colon]",                              "olareg",                                "any text is taken for a digest"),
    Known("test_referrers_of_what_is_no_digest_are_refused[no hex]",                                "olareg",                                "any text is taken for a digest"),
    Known("test_a_tag_is_set_only_if_it_is_as_it_was",                                              "distribution31 distribution28",         "conditions are passed over"),
    Known("test_a_tag_is_set_only_if_it_is_new",                                                    "olareg distribution31 distribution28",  "conditions are passed over"),
    Known("test_another_type_than_the_manifest_says_is_refused",                                    "olareg",                                "it is taken"),
    Known("test_a_page_begins_after_the_last_tag",                                                  "distribution28",                        "last is passed over"),
    Known("test_a_page_of_no_tags_is_empty_and_leads_nowhere",                                      "distribution28",                        "n is passed over"),
    Known("test_a_page_of_tags_has_as_many_as_are_asked_for",                                       "distribution28",                        "n is passed over"),
    Known("test_the_link_leads_through_all_tags",                                                   "distribution28",                        "n is passed over"),
    Known("test_a_manifest_by_digest_comes_back_as_it_was[sha512-artifact]",                        "distribution31 distribution28",         "no manifest has a sha512 digest"),
    Known("test_a_manifest_by_digest_comes_back_as_it_was[sha512-artifact_index]",                  "distribution31 distribution28",         "no manifest has a sha512 digest"),
    Known("test_a_manifest_by_digest_comes_back_as_it_was[sha512-artifact_without_layers]",         "distribution31 distribution28",         "no manifest has a sha512 digest"),
    Known("test_a_manifest_by_digest_comes_back_as_it_was[sha512-custom_fields]",                   "distribution31 distribution28",         "no manifest has a sha512 digest"),
    Known("test_a_manifest_by_digest_comes_back_as_it_was[sha512-data_field]",                      "distribution31 distribution28",         "no manifest has a sha512 digest"),
    Known("test_a_manifest_by_digest_comes_back_as_it_was[sha512-empty_index]",                     "distribution31 distribution28",         "no manifest has a sha512 digest"),
    Known("test_a_manifest_by_digest_comes_back_as_it_was[sha512-foreign_layers]",                  "distribution31 distribution28",         "no manifest has a sha512 digest"),
    Known("test_a_manifest_by_digest_comes_back_as_it_was[sha512-image]",                           "distribution31 distribution28",         "no manifest has a sha512 digest"),
    Known("test_a_manifest_by_digest_comes_back_as_it_was[sha512-index]",                           "distribution31 distribution28",         "no manifest has a sha512 digest"),
    Known("test_a_manifest_by_digest_comes_back_as_it_was[sha512-index_with_subject]",              "distribution31 distribution28",         "no manifest has a sha512 digest"),
    Known("test_a_manifest_by_digest_comes_back_as_it_was[sha512-large]",                           "distribution31 distribution28",         "no manifest has a sha512 digest"),
    Known("test_a_manifest_by_digest_comes_back_as_it_was[sha512-missing_subject]",                 "distribution31 distribution28",         "no manifest has a sha512 digest"),
    Known("test_a_manifest_by_digest_comes_back_as_it_was[sha512-nested_index]",                    "distribution31 distribution28",         "no manifest has a sha512 digest"),
    Known("test_a_manifest_by_digest_comes_back_as_it_was[sha512-no_layers]",                       "distribution31 distribution28",         "no manifest has a sha512 digest"),
    Known("test_a_manifest_by_digest_comes_back_as_it_was[sha512-unknown_types]",                   "distribution31 distribution28",         "no manifest has a sha512 digest"),
    Known("test_a_manifest_by_digest_comes_back_as_it_was[sha512-with_subject]",                    "distribution31 distribution28",         "no manifest has a sha512 digest"),
    Known("test_a_manifest_that_is_deleted_is_gone[sha512-artifact]",                               "distribution31 distribution28",         "no manifest has a sha512 digest"),
    Known("test_a_manifest_that_is_deleted_is_gone[sha512-artifact_index]",                         "distribution31 distribution28",         "no manifest has a sha512 digest"),
    Known("test_a_manifest_that_is_deleted_is_gone[sha512-artifact_without_layers]",                "distribution31 distribution28",         "no manifest has a sha512 digest"),
    Known("test_a_manifest_that_is_deleted_is_gone[sha512-custom_fields]",                          "distribution31 distribution28",         "no manifest has a sha512 digest"),
    Known("test_a_manifest_that_is_deleted_is_gone[sha512-data_field]",                             "distribution31 distribution28",         "no manifest has a sha512 digest"),
    Known("test_a_manifest_that_is_deleted_is_gone[sha512-empty_index]",                            "distribution31 distribution28",         "no manifest has a sha512 digest"),
    Known("test_a_manifest_that_is_deleted_is_gone[sha512-foreign_layers]",                         "distribution31 distribution28",         "no manifest has a sha512 digest"),
    Known("test_a_manifest_that_is_deleted_is_gone[sha512-image]",                                  "distribution31 distribution28",         "no manifest has a sha512 digest"),
    Known("test_a_manifest_that_is_deleted_is_gone[sha512-index]",                                  "distribution31 distribution28",         "no manifest has a sha512 digest"),
    Known("test_a_manifest_that_is_deleted_is_gone[sha512-index_with_subject]",                     "distribution31 distribution28",         "no manifest has a sha512 digest"),
    Known("test_a_manifest_that_is_deleted_is_gone[sha512-large]",                                  "distribution31 distribution28",         "no manifest has a sha512 digest"),
    Known("test_a_manifest_that_is_deleted_is_gone[sha512-missing_subject]",                        "distribution31 distribution28",         "no manifest has a sha512 digest"),
    Known("test_a_manifest_that_is_deleted_is_gone[sha512-nested_index]",                           "distribution31 distribution28",         "no manifest has a sha512 digest"),
    Known("test_a_manifest_that_is_deleted_is_gone[sha512-no_layers]",                              "distribution31 distribution28",         "no manifest has a sha512 digest"),
    Known("test_a_manifest_that_is_deleted_is_gone[sha512-unknown_types]",                          "distribution31 distribution28",         "no manifest has a sha512 digest"),
    Known("test_a_manifest_that_is_deleted_is_gone[sha512-with_subject]",                           "distribution31 distribution28",         "no manifest has a sha512 digest"),
    Known("test_tags_come_along_with_a_digest[sha512]",                                             "distribution31 distribution28",         "no manifest has a sha512 digest"),
    Known("test_deleting_a_tag_leaves_the_manifest",                                                "distribution28",                        "no tag can be deleted"),
    Known("test_all_tags_are_listed_in_order",                                                      "distribution28",                        "tags have no order"),
    Known("test_a_range_past_the_end_is_refused[bytes=4096-]",                                      "distribution28",                        "the answer is shorter than it says"),
    Known("test_a_range_past_the_end_is_refused[bytes=5000-10000]",                                 "distribution28",                        "the answer is shorter than it says"),
    Known("test_a_manifest_over_the_limit_is_too_large",                                            "olareg",                                "the connection is cut"),
    Known("test_a_page_of_no_tags_is_empty_and_leads_nowhere",                                      "olareg",                                "the connection is cut"),
    Known("test_a_blob_as_a_stream_without_a_length[sha512]",                                       "distribution31 distribution28",         "the header says the sha256"),
    Known("test_a_blob_by_post_and_put_comes_back[empty-sha512]",                                   "distribution31 distribution28",         "the header says the sha256"),
    Known("test_a_blob_by_post_and_put_comes_back[large-sha512]",                                   "distribution31 distribution28",         "the header says the sha256"),
    Known("test_a_blob_by_post_and_put_comes_back[small-sha512]",                                   "distribution31 distribution28",         "the header says the sha256"),
    Known("test_a_blob_from_anywhere_is_mounted_or_uploaded[sha512]",                               "distribution31 distribution28",         "the header says the sha256"),
    Known("test_a_blob_in_chunks[sha512]",                                                          "distribution31 distribution28",         "the header says the sha256"),
    Known("test_a_blob_in_one_post_is_taken_or_begins_an_upload[sha512]",                           "distribution31 distribution28",         "the header says the sha256"),
    Known("test_a_blob_whose_last_chunk_came_before_the_end[sha512]",                               "distribution31 distribution28",         "the header says the sha256"),
    Known("test_a_head_says_what_a_get_brings[sha512]",                                             "distribution31 distribution28",         "the header says the sha256"),
    Known("test_a_manifest_by_digest_comes_back_as_it_was[sha256-foreign_layers]",                  "olareg",                                "the layer is missed: 400"),
    Known("test_a_manifest_by_digest_comes_back_as_it_was[sha512-foreign_layers]",                  "olareg",                                "the layer is missed: 400"),
    Known("test_a_manifest_by_tag_comes_back_and_is_listed[foreign_layers]",                        "olareg",                                "the layer is missed: 400"),
    Known("test_a_manifest_that_is_deleted_is_gone[sha256-foreign_layers]",                         "olareg",                                "the layer is missed: 400"),
    Known("test_a_manifest_that_is_deleted_is_gone[sha512-foreign_layers]",                         "olareg",                                "the layer is missed: 400"),
    Known("test_tags_come_along_with_a_digest[sha256]",                                             "olareg distribution31 distribution28",  "the parameter is passed over"),
    Known("test_tags_come_along_with_a_digest[sha512]",                                             "olareg",                                "the parameter is passed over"),
    Known("test_a_tag_is_set_only_if_it_is_as_it_was",                                              "olareg",                                "there is no ETag"),
    Known("test_what_the_client_has_is_not_sent_again",                                             "olareg",                                "there is no ETag"),
    Known("test_a_list_is_filtered_by_type_and_says_so",                                            "distribution31 distribution28",         "there is no referrers API"),
    Known("test_a_long_list_has_pages_of_four_mebibytes_at_most",                                   "distribution31 distribution28",         "there is no referrers API"),
    Known("test_a_referrer_has_referrers_of_its_own",                                               "distribution31 distribution28",         "there is no referrers API"),
    Known("test_an_index_without_a_type_has_none",                                                  "distribution31 distribution28",         "there is no referrers API"),
    Known("test_nobody_refers_to_what_is_not_there[sha256]",                                        "distribution31 distribution28",         "there is no referrers API"),
    Known("test_nobody_refers_to_what_is_not_there[sha512]",                                        "distribution31 distribution28",         "there is no referrers API"),
    Known("test_referrers_are_those_of_one_repository",                                             "distribution31 distribution28",         "there is no referrers API"),
    Known("test_referrers_of_what_is_no_digest_are_refused[no colon]",                              "distribution31 distribution28",         "there is no referrers API"),
    Known("test_referrers_of_what_is_no_digest_are_refused[no hex]",                                "distribution31 distribution28",         "there is no referrers API"),
    Known("test_referrers_stay_when_their_subject_is_deleted",                                      "distribution31 distribution28",         "there is no referrers API"),
    Known("test_the_type_of_an_image_is_that_of_its_config",                                        "distribution31 distribution28",         "there is no referrers API"),
    Known("test_what_has_a_subject_is_listed_with_type_and_annotations[index_with_subject-sha256]", "distribution31 distribution28",         "there is no referrers API"),
    Known("test_what_has_a_subject_is_listed_with_type_and_annotations[index_with_subject-sha512]", "distribution31 distribution28",         "there is no referrers API"),
    Known("test_what_has_a_subject_is_listed_with_type_and_annotations[missing_subject-sha256]",    "distribution31 distribution28",         "there is no referrers API"),
    Known("test_what_has_a_subject_is_listed_with_type_and_annotations[missing_subject-sha512]",    "distribution31 distribution28",         "there is no referrers API"),
    Known("test_what_has_a_subject_is_listed_with_type_and_annotations[with_subject-sha256]",       "distribution31 distribution28",         "there is no referrers API"),
    Known("test_what_has_a_subject_is_listed_with_type_and_annotations[with_subject-sha512]",       "distribution31 distribution28",         "there is no referrers API"),
)
# fmt: on

REGISTRIES = ("olareg", "distribution31", "distribution28")

KNOWN_FAILURES: dict[str, dict[str, str]] = {
    name: {row.case: row.reason for row in TABLE if name in row.registries.split()} for name in REGISTRIES
}
