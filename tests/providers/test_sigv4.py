"""Signature Version 4 against the vectors AWS published."""

from datetime import UTC, datetime

from dragoman_server.providers.sigv4 import Signable, authorization, canonical_query

NOW = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
KEY = "AKIDEXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


def test_the_get_vanilla_vector_of_the_aws_test_suite() -> None:
    request = Signable("GET", "https://example.amazonaws.com/")

    signed = authorization(request, key=KEY, secret=SECRET, region="us-east-1", service="service", now=NOW)

    assert signed == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date, "
        "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    )


def test_the_iam_list_users_example_of_the_aws_documentation() -> None:
    request = Signable(
        "GET",
        "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
        [("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")],
    )

    signed = authorization(request, key=KEY, secret=SECRET, region="us-east-1", service="iam", now=NOW)

    assert "SignedHeaders=content-type;host;x-amz-date" in signed
    assert signed.endswith("Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7")


def test_the_query_order_vector_of_the_aws_test_suite() -> None:
    request = Signable("GET", "https://example.amazonaws.com/?Param2=value2&Param1=value1")

    signed = authorization(request, key=KEY, secret=SECRET, region="us-east-1", service="service", now=NOW)

    assert signed.endswith("Signature=b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500")


def test_query_names_and_values_are_encoded_once_and_sorted() -> None:
    assert canonical_query("b=2&a=x%20y&a=%2F&c") == "a=%2F&a=x%20y&b=2&c="


def test_every_amz_header_the_request_carries_is_signed() -> None:
    request = Signable(
        "GET",
        "https://s3.amazonaws.com/b/k%20y",
        [("X-Amz-Security-Token", "t"), ("X-Amz-Date", "20150830T123600Z")],
        None,
    )

    signed = authorization(request, key=KEY, secret=SECRET, region="us-east-1", service="s3", now=NOW)

    assert "SignedHeaders=host;x-amz-date;x-amz-security-token" in signed
