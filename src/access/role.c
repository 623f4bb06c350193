#include "access/role.h"

#include "access/scope.h"

enum {
	READS = SCOPE_AUDIENCE_READ | SCOPE_SEGMENT_READ | SCOPE_DIMENSION_READ | SCOPE_JOB_READ,
};

const struct role roles_built_in[] = {
	{"admin", "Everything", "모든 권한", SCOPE_ADMIN},
	{"marketing-manager", "Audiences, segments and campaigns, with exports",
     "오디언스·세그먼트·캠페인 관리와 내보내기",
     READS | SCOPE_USER_READ | SCOPE_AUDIENCE_WRITE | SCOPE_AUDIENCE_EXPORT | SCOPE_SEGMENT_WRITE |
         SCOPE_CAMPAIGN_SEND},
	{"analyst", "Questions about audiences, segments and users, without personal values",
     "오디언스·세그먼트·사용자 분석 (개인정보 제외)", READS | SCOPE_USER_READ},
	{"engineer", "Sources, events, products, destinations and tokens",
     "수집 소스·이벤트·상품·전송 대상·토큰 관리",
     READS | SCOPE_EVENTS_WRITE | SCOPE_SOURCE_WRITE | SCOPE_DIMENSION_WRITE |
         SCOPE_DESTINATION_WRITE | SCOPE_JOB_WRITE | SCOPE_TOKEN_WRITE | SCOPE_METRICS_READ},
	{"operator", "Jobs, backups, metrics and the audit trail", "작업·백업·지표·감사 기록 운영",
     SCOPE_JOB_READ | SCOPE_JOB_WRITE | SCOPE_METRICS_READ | SCOPE_AUDIT_READ},
	{"viewer", "Looks at audiences and segments", "오디언스·세그먼트 조회", READS},
};
const size_t roles_built_in_count = sizeof roles_built_in / sizeof roles_built_in[0];

const struct role *role_built_in(struct text name)
{
	for (size_t i = 0; i < roles_built_in_count; i++)
		if (text_equal(name, text_of(roles_built_in[i].name)))
			return &roles_built_in[i];
	return NULL;
}

bool role_name_is_free(struct text name)
{
	if (name.length == 0 || name.length > ROLE_NAME_BYTES_MAX || role_built_in(name) != NULL ||
	    name.data[0] < 'a' || name.data[0] > 'z')
		return false;
	for (size_t i = 0; i < name.length; i++) {
		char c = name.data[i];
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
			return false;
	}
	return true;
}
