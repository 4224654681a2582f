"""The codes by which services refuse, and what each kind of them means here.

They are those that S3 and its kin, GCS and Azure document; what is not here is told as it is.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from metasnapshot.errors import AuthenticationError, StorageError

KEYS_HINT = "check the credentials in the environment (docs/object-stores.md)"


class Act(StrEnum):
    """What was asked for, in words."""

    READ = "read"
    WRITE = "write"
    LIST = "list"
    DELETE = "delete"


PERMISSIONS = {
    Act.READ: "s3:GetObject (and s3:ListBucket, or what is missing is refused like this too)",
    Act.WRITE: "s3:PutObject",
    Act.LIST: "s3:ListBucket",
    Act.DELETE: "s3:DeleteObject",
}


class Passing(StorageError):
    """Nobody answered, or the service was busy: the same request may go well a moment later."""


class Contended(Passing):
    """The service refused because another request was at work; it did nothing."""


class ChecksumWanted(StorageError):
    """The bucket takes no object without a checksum beside it: it locks its objects."""


class NotOffered(StorageError):
    """The service does not know what the request asked for."""


class Denied(AuthenticationError):
    """The key is right, and may not do this. `words` are the service's."""

    words = ""


class Retained(StorageError):
    """The service keeps the object as it is, for a time or until a hold ends. `why` says it in
    words, `until` as the service's time ("" where it says none). `words` are the service's.
    """

    words = ""

    def __init__(self, message: str, *, hint: str = "", why: str = "", until: str = "") -> None:
        super().__init__(message, hint=hint)
        self.why = why or message
        self.until = until


class Sort(NamedTuple):
    """What becomes of a code: the error, what is said before the service's words, and a hint."""

    error: type[StorageError | AuthenticationError]
    what: str
    hint: str = ""


EXPIRED = Sort(
    AuthenticationError,
    "the session's credentials ran out or are not valid",
    "get new ones (AWS_SESSION_TOKEN belongs to its key; `aws sso login`)",
)
WRONG = Sort(AuthenticationError, "the credentials are not accepted", KEYS_HINT)
CLOCK = Sort(
    AuthenticationError,
    "the clock of this host and the service's differ by too much",
    "set the clock of this host (ntp)",
)
REGION = Sort(StorageError, "the bucket is in another region", "set AWS_REGION to the bucket's")
NO_BUCKET = Sort(StorageError, "no such bucket", "check the URL")
BUSY = Sort(
    Passing, "the service is busy", "try again; --storage-retries says how often that is done"
)
FULL = Sort(StorageError, "the service has no room", "free some space, or raise the quota")
LOCKED = Sort(Retained, "the object is locked", "its retention or legal hold must end first")
COLD = Sort(StorageError, "the object is archived", "bring it back from its storage class first")
CIPHER = Sort(StorageError, "the bucket's encryption key cannot be used", "check the KMS key")
CLOSED = Sort(StorageError, "the account is closed, blocked or unpaid", "see the service's console")
UNKNOWN = Sort(NotOffered, "the service does not offer this")
DENIED = Sort(Denied, "")
SORTS: dict[Sort, tuple[str, ...]] = {
    EXPIRED: (
        *("ExpiredToken", "ExpiredTokenException", "InvalidToken", "TokenRefreshRequired"),
        *("InvalidTokenId", "SecurityTokenExpired", "InvalidSecurityToken", "invalid_grant"),
        *("InvalidIdentityToken", "IDPRejectedClaim", "SecurityTokenInvalid", "RequestExpired"),
    ),
    WRONG: (
        *("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidClientTokenId", "InvalidSecurity"),
        *("AuthenticationFailed", "InvalidAuthenticationInfo", "NoAuthenticationInformation"),
        *("AuthenticationRequired", "MissingSecurityHeader", "CredentialsNotSupported"),
        *("AuthorizationQueryParametersError", "UnrecognizedClientException", "Unauthorized"),
        *("UnauthorizedAccess", "UNAUTHENTICATED", "invalid_client", "IncompleteSignature"),
        *("NotSignedUp", "InvalidAccessKey", "AccessKeyDisabled"),
    ),
    CLOCK: ("RequestTimeTooSkewed", "RequestNotValidYet", "RequestInTheFuture"),
    REGION: (
        *("AuthorizationHeaderMalformed", "PermanentRedirect", "TemporaryRedirect", "Redirect"),
        *("IllegalLocationConstraintException", "IncorrectEndpoint", "InvalidRegion"),
    ),
    NO_BUCKET: (
        *("NoSuchBucket", "ContainerNotFound", "BucketNotFound", "InvalidBucketName"),
        *("ContainerBeingDeleted", "NoSuchContainer", "InvalidResourceName"),
    ),
    BUSY: (
        *("ConditionalRequestConflict", "OperationAborted", "SlowDown", "ServiceUnavailable"),
        *("InternalError", "RequestTimeout", "ServerBusy", "OperationTimedOut", "TooManyRequests"),
        *("RequestLimitExceeded", "Throttling", "ThrottlingException", "XAmzServerNotInitialized"),
        *("XMinioServerNotInitialized", "QpsLimitExceeded", "RESOURCE_EXHAUSTED", "SlowDownWrite"),
        *("SlowDownRead", "BandwidthLimitExceeded", "DownloadTrafficRateLimitExceeded"),
    ),
    FULL: (
        *("XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "QuotaExceeded", "StorageFull"),
        *("InsufficientStorage", "QuotaExceededException", "TotalStorageQuotaExceeded"),
        *("InsufficientCapacity", "StorageCapExceeded"),
    ),
    LOCKED: (
        *("BlobImmutableDueToPolicy", "BlobImmutableDueToLegalHold", "FileImmutable"),
        *("ObjectLocked", "ObjectUnderActiveHold", "RetentionPolicyNotMet", "LeaseIdMissing"),
        *("BlobBeingRehydrated", "ObjectHeld"),
    ),
    COLD: ("InvalidObjectState", "BlobArchived"),
    CIPHER: (
        *("KMS.DisabledException", "KMS.NotFoundException", "KMS.KMSInvalidStateException"),
        *("KMS.AccessDeniedException", "KMSAccessDenied", "KMS.InvalidKeyUsageException"),
        *("KeyVaultEncryptionKeyNotFound", "KeyVaultAccessTokenCannotBeAcquired"),
    ),
    CLOSED: (
        *(
            "AllAccessDisabled",
            "AccountProblem",
            "AccountIsDisabled",
            "UserDisable",
            "UserSuspended",
        ),
        *("PaymentRequired", "InvalidPayer", "AccountArrears", "UserProjectAccountProblem"),
        *("BillingDisabled", "TransactionCapExceeded", "InArrearOrInsufficientBalance"),
    ),
    UNKNOWN: (
        *("NotImplemented", "MethodNotAllowed", "UnsupportedHeader", "UnsupportedOperation"),
        *("A header you provided implies functionality that is not implemented",),
    ),
    DENIED: (
        *("AccessDenied", "Forbidden", "AuthorizationFailure", "AuthorizationPermissionMismatch"),
        *("AuthorizationProtocolMismatch", "AuthorizationResourceTypeMismatch", "AccessForbidden"),
        *("InsufficientAccountPermissions", "PERMISSION_DENIED", "AccessDeniedException"),
        *("UnauthorizedOperation", "AuthorizationSourceIPMismatch", "Deny"),
    ),
}
EXISTS = (
    *("", "PreconditionFailed", "ConditionNotMet", "TargetConditionNotMet", "conditionNotMet"),
    *("BlobAlreadyExists", "FileAlreadyExists", "ObjectAlreadyExists", "PathAlreadyExists"),
)
"""Codes of 409 which mean that there is such an object, or another one."""
BY_CODE = {code: sort for sort, codes in SORTS.items() for code in codes}
BY_STATUS = {
    301: REGION,
    307: REGION,
    401: WRONG,
    402: CLOSED,
    403: DENIED,
    405: UNKNOWN,
    407: Sort(AuthenticationError, "the proxy wants credentials", "check HTTPS_PROXY"),
    429: BUSY,
    500: BUSY,
    501: UNKNOWN,
    502: BUSY,
    503: BUSY,
    504: BUSY,
    507: FULL,
}
"""Of answers whose code is not known; a HEAD's has none."""
