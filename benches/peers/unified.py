"""What the peers share: the columns of the unified schema, the words of the sources, and the command line.

Not the mapping: each peer has its own, in its own language.
"""

import argparse
import pathlib

# Every column in its order.
COLUMNS = (
    "source transaction_id occurred_at utc_offset_minutes gross_amount net_amount fee_amount currency net_currency "
    "fee_currency amount_check classification state source_classification source_state failure_reason created_at "
    "updated_at completed_at booking_date value_date reference receipt_number description payment_id "
    "payment_method_id charge_attempt_id provider provider_transaction_id provider_account_id "
    "provider_payment_method_id accounting_code campaign_id job_id team_id report_id payer_id payer_name payer_email "
    "payer_username is_anonymous is_balance_relevant extra source_file source_offset"
).split()

# The kind of every column that is not text.
KINDS = {
    "occurred_at": "instant",
    "utc_offset_minutes": "minutes",
    "gross_amount": "money",
    "net_amount": "money",
    "fee_amount": "money",
    "created_at": "instant",
    "updated_at": "instant",
    "completed_at": "instant",
    "booking_date": "date",
    "value_date": "date",
    "is_anonymous": "flag",
    "is_balance_relevant": "flag",
    "source_offset": "offset",
}

# The member of a page that holds the records. The other two sources answer with a bare array.
PAGES = {"onlinefundraising": "list", "twocloud": "payments", "paydata": "transactions"}

STATES = {
    "spacivox": {"0": "pending", "1": "succeeded", "2": "failed"},
    "twocloud": {"pending": "pending", "succeeded": "succeeded", "error": "failed", "retry": "pending"},
    "atpay": {"Successful": "succeeded", "Failed": "failed", "Further Action Required": "requires_action"},
}
CLASSIFICATIONS = {
    "onlinefundraising": {"Charge": "payment", "Refund": "refund"},
    "paydata": {
        "Unknown": "unknown",
        "Payment": "payment",
        "Refund": "refund",
        "Chargeback": "chargeback",
        "Purchase": "purchase",
        "PurchaseRefund": "purchase_refund",
        "ServiceFee": "service_fee",
        "ServiceFeeRefund": "service_fee_refund",
        "Transfer": "transfer",
        "Payout": "payout",
        "TemporaryHold": "temporary_hold",
        "Review": "review",
        "Reserve": "reserve",
        "CurrencyConversion": "currency_conversion",
        "CreditRepayment": "credit_repayment",
        "Tax": "tax",
        "Adjustment": "adjustment",
        "Donation": "donation",
        "Unclassified": "unclassified",
    },
}


def sql_words(member, words):
    """The unified word for the source's own, in SQL; what the API does not list is unknown."""
    cases = " ".join(f"WHEN '{word}' THEN '{unified}'" for word, unified in words.items())
    return f"CASE {member} {cases} ELSE 'unknown' END"


def command_line(description):
    """The command line of every peer."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("dumps", type=pathlib.Path, help="a folder with a folder of dumps per source")
    parser.add_argument("out", type=pathlib.Path, help="the dataset to write, which is not there yet")
    parser.add_argument("shape", choices=["ndjson", "envelope"])
    parser.add_argument("--threads", type=int, default=2)
    return parser
